package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// unique refuses a JSON text in which an object holds a key twice, or after which
// something follows. OPA's signature covers the parsed value, in which the last of
// two keys counts; a decoder that merges them would read what nobody signed.
func unique(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := valueAt(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// maxNesting bounds the recursion.
const maxNesting = 200

func valueAt(dec *json.Decoder, depth int) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxNesting {
		return errors.New("nested too deeply")
	}
	keys := map[string]bool{}
	for dec.More() {
		if open == '{' {
			if err := key(dec, keys); err != nil {
				return err
			}
		}
		if err := valueAt(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

func key(dec *json.Decoder, seen map[string]bool) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	name, ok := t.(string)
	if !ok {
		return errors.New("a key that is no string")
	}
	if seen[name] {
		return fmt.Errorf("the key %q stands twice", name)
	}
	seen[name] = true
	return nil
}
