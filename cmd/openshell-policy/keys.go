package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas/keys"
)

// The variables that hold keys, as PEM, where no file is named.
const (
	signingKeyEnv = "OPENSHELL_SIGNING_KEY"
	verifyKeyEnv  = "OPENSHELL_VERIFY_KEY"
)

var errNoKey = errors.New("no key")

const keyHint = "openshell-policy keygen NAME writes NAME.key and NAME.pub"

// loadPrivate reads the key to sign with: a file, else the variable.
func loadPrivate(file string, stderr io.Writer) (keys.Private, error) {
	text, from, err := keyText(file, signingKeyEnv)
	if err != nil {
		return keys.Private{}, err
	}
	key, err := keys.ParsePrivate(text)
	if err != nil {
		return key, cli.WithHint(fmt.Errorf("%s: %w", from, err), keyHint)
	}
	if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintf(stderr, "warning: %s can be read by others (%s): chmod 600 %s\n", file, info.Mode().Perm(), file)
	}
	return key, nil
}

// loadPublic reads the keys to verify with: files, else the variable.
func loadPublic(files []string) ([]keys.Public, error) {
	if len(files) == 0 {
		files = []string{""}
	}
	var out []keys.Public
	for _, file := range files {
		text, from, err := keyText(file, verifyKeyEnv)
		if err != nil {
			return nil, err
		}
		key, err := keys.ParsePublic(text)
		if err != nil {
			return nil, cli.WithHint(fmt.Errorf("%s: %w", from, err), keyHint)
		}
		out = append(out, key)
	}
	return out, nil
}

func keyText(file, variable string) (text []byte, from string, err error) {
	if file != "" {
		text, err = os.ReadFile(file)
		return text, file, err
	}
	if value := os.Getenv(variable); value != "" {
		return []byte(value), variable, nil
	}
	return nil, "", cli.WithHint(errNoKey, "name one with --key FILE, or put it into %s; %s", variable, keyHint)
}
