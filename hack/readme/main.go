// Readme runs the commands of README.md as a reader would paste them: every
// shell block after a line "<!-- run -->", with bin/ in PATH and a state folder
// of its own. It also checks that each make target and each file that README.md
// names is there.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	bin := flag.String("bin", "bin", "folder of the commands")
	file := flag.String("file", "README.md", "the text")
	flag.Parse()
	if err := run(*file, *bin); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func run(file, bin string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		return err
	}
	errs := []error{targets(string(text), string(makefile)), links(string(text), filepath.Dir(file))}
	found := blocks(string(text))
	if len(found) == 0 {
		return errors.New("no block to run")
	}
	for _, b := range found {
		errs = append(errs, execute(b, bin))
	}
	return errors.Join(errs...)
}

var marked = regexp.MustCompile("(?s)<!-- run -->\n```sh\n(.*?)```")

// blocks returns the shell blocks that are marked.
func blocks(text string) []string {
	var out []string
	for _, m := range marked.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// execute runs a block line by line in one shell, which stops at the first
// command that fails.
func execute(block, bin string) error {
	dir, err := os.MkdirTemp("", "openshell-readme-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, err = filepath.Abs(bin)
	if err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(dir, "policies"), os.DirFS("policies")); err != nil {
		return err
	}
	cmd := exec.Command("sh", "-ex", "-c", block+"\nopenshell gateway stop >/dev/null 2>&1 || true\n")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "XDG_STATE_HOME="+dir, "XDG_CONFIG_HOME="+dir, "NO_COLOR=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("a block of README.md failed: %w\n%s", err, block)
	}
	return nil
}

var makeTarget = regexp.MustCompile(`\bmake ([a-z][-a-z]*)`)

func targets(text, makefile string) error {
	seen := 0
	for _, m := range makeTarget.FindAllStringSubmatch(text, -1) {
		seen++
		if !strings.Contains("\n"+makefile, "\n"+m[1]+":") {
			return fmt.Errorf("make %s is no target", m[1])
		}
	}
	if seen == 0 {
		return errors.New("no make target is named")
	}
	return nil
}

var link = regexp.MustCompile(`\]\(([^):#]+)\)`)

func links(text, dir string) error {
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(dir, m[1])); err != nil {
			return fmt.Errorf("a link leads nowhere: %w", err)
		}
	}
	return nil
}
