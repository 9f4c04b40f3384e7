package policyset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/policies"
)

// Pick finds what --policy names: a ready-made policy, or a file or folder,
// optionally with :NAME where that holds several policies. A file that has the
// name of a ready-made policy is meant if the reference contains a slash or ends
// in .yaml. The name returned is "" if the reference gives none.
func Pick(ref string) (sources []compiler.Source, name string, err error) {
	if !IsFile(ref) {
		if source, ok := ReadyMade(ref); ok {
			return []compiler.Source{source}, ref, nil
		}
	}
	path := ref
	if i := strings.LastIndexByte(ref, ':'); i > 0 && !exists(ref) {
		path, name = ref[:i], ref[i+1:]
	}
	if !IsFile(ref) && !exists(path) {
		return nil, "", UnknownName(ref)
	}
	sources, err = Read(path)
	return sources, name, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// Load reads policies for compilation: of each reference the file or folder, or
// else the ready-made policy of that name.
func Load(refs ...string) ([]compiler.Source, error) {
	var paths []string
	var sources []compiler.Source
	for _, ref := range refs {
		if exists(ref) || IsFile(ref) {
			paths = append(paths, ref)
			continue
		}
		source, ok := ReadyMade(ref)
		if slices.ContainsFunc(sources, func(s compiler.Source) bool { return s.Name == source.Name }) {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("no file or folder %q, and %w", ref, UnknownName(ref))
		}
		sources = append(sources, source)
	}
	read, err := Read(paths...)
	if err != nil {
		return nil, err
	}
	return append(read, sources...), nil
}

// IsFile tells whether a reference means a file or folder, not a name.
func IsFile(ref string) bool {
	path, _, _ := strings.Cut(ref, ":")
	return strings.Contains(ref, "/") || IsYAML(path) || path == "." || path == ".."
}

// NameError is a policy name that nothing answers to.
type NameError struct {
	Name    string
	Known   []string
	Library bool // Known are the ready-made policies, not those of a file
}

// Error says which names there are.
func (e *NameError) Error() string { return fmt.Sprintf("no policy named %q", e.Name) }

// UnknownName returns the error for a name that the library does not have.
func UnknownName(name string) error {
	return &NameError{Name: name, Known: policies.Names(), Library: true}
}

// Choose returns the policy of a compiled set that a reference means: the named
// one, or the only one.
func Choose(result *compiler.Result, name string) (string, error) {
	var names []string
	for _, p := range result.Policies {
		names = append(names, p.Name)
	}
	switch {
	case len(names) == 0:
		return "", errors.New("no document of kind SandboxPolicy was given")
	case name == "" && len(names) == 1:
		return names[0], nil
	case name == "":
		return "", fmt.Errorf("the file holds %d policies (%s): name one as FILE:NAME", len(names), strings.Join(names, ", "))
	case !slices.Contains(names, name):
		return "", &NameError{Name: name, Known: names}
	}
	return name, nil
}
