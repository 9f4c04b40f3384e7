package deploy_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// bin is the folder with openshell-policy as the image's build makes it.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "openshell-policy")
	if err == nil {
		bin = dir
		err = buildAsTheImageDoes(filepath.Join(dir, "openshell-policy"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// buildAsTheImageDoes runs the RUN line of the Containerfile that builds.
func buildAsTheImageDoes(out string) error {
	image, err := readContainerfile()
	if err != nil {
		return err
	}
	for _, i := range image {
		if i.name != "RUN" || !strings.HasPrefix(i.rest, "go build ") {
			continue
		}
		cmd := exec.Command("sh", "-ec", strings.ReplaceAll(i.rest, "/out/openshell-policy", `"$OUT"`))
		cmd.Dir = ".."
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "VERSION=v9.9.9-test", "OUT="+out)
		text, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", i.rest, err, text)
		}
		return nil
	}
	return errors.New("the Containerfile has no RUN go build")
}

func parseYAML(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// repo makes a Git repository with files, committed.
func repo(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, files)
	git(t, dir, "init", "--quiet", "--initial-branch=main")
	commit(t, dir)
	return dir
}

func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// commit commits everything and returns the commit.
func commit(t *testing.T, dir string) string {
	t.Helper()
	git(t, dir, "add", "--all")
	git(t, dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message=x")
	return strings.TrimSpace(git(t, dir, "rev-parse", "HEAD"))
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return string(out)
}

// ours puts the built command first on the path.
func ours() string { return "PATH=" + bin + ":" + os.Getenv("PATH") }

func exitStatus(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return -1
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const policyText = `apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata:
  name: team
spec:
  network:
    outbound:
      - host: "api.example.com"
        scheme: https
        methods: [GET]
        paths: ["/v1/**"]
`

const testText = `apiVersion: openshell.nvidia.com/v1alpha1
kind: PolicyTest
metadata:
  name: team
spec:
  policies: [team.yaml]
  policy: team
  cases:
    - request: GET https://api.example.com/v1/a/b
      expect: allow
    - request: POST https://api.example.com/v1/a
      expect: deny
      mode: enforce
      code: method_not_allowed
    - request: GET https://api.example.com/v2
      expect: deny
      code: path_not_allowed
    - request: GET https://www.example.com/v1/a
      expect: deny
      code: host_not_in_policy
    - request: GET http://api.example.com/v1/a
      expect: deny
`

func good() map[string]string {
	return map[string]string{"policies/team.yaml": policyText, "policies/team_test.yaml": testText}
}

// instruction is one of a Containerfile.
type instruction struct{ name, rest string }

func readContainerfile() ([]instruction, error) {
	data, err := os.ReadFile("images/policy/Containerfile")
	if err != nil {
		return nil, err
	}
	var out []instruction
	for line := range strings.Lines(regexp.MustCompile(`\\\n`).ReplaceAllString(string(data), " ")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		out = append(out, instruction{name, strings.TrimSpace(rest)})
	}
	return out, nil
}
