package policyset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// IsModule tells an extension in Rego by its name.
func IsModule(name string) bool {
	return strings.HasSuffix(name, ".rego") && !strings.HasSuffix(name, "_test.rego")
}

// withModules lists the policies of a path and the Rego modules that belong to
// them: those in the folder itself, and those that stand beside a policy below it.
// A folder of modules alone is taken only where it is named.
func withModules(path string) ([]string, error) {
	files, err := Files(path, func(name string) bool { return !IsTest(name) })
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return files, err // a file is read as it stands
	}
	folders := []string{filepath.Clean(path)}
	for _, f := range files {
		folders = append(folders, filepath.Dir(f))
	}
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() && IsModule(e.Name()) && !strings.HasPrefix(e.Name(), ".") {
				files = append(files, filepath.Join(folder, e.Name()))
			}
		}
	}
	return files, nil
}
