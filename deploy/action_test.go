package deploy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// action is action.yml as far as the test runs it.
type action struct {
	Inputs map[string]struct {
		Description string `yaml:"description"`
		Default     string `yaml:"default"`
	} `yaml:"inputs"`
	Outputs map[string]struct {
		Value string `yaml:"value"`
	} `yaml:"outputs"`
	Runs struct {
		Using string `yaml:"using"`
		Steps []step `yaml:"steps"`
	} `yaml:"runs"`
}

type step struct {
	ID    string            `yaml:"id"`
	If    string            `yaml:"if"`
	Shell string            `yaml:"shell"`
	Env   map[string]string `yaml:"env"`
	Run   string            `yaml:"run"`
	Uses  string            `yaml:"uses"`
}

func loadAction(t *testing.T) action {
	t.Helper()
	var a action
	parseYAML(t, "action/action.yml", &a)
	if a.Runs.Using != "composite" || len(a.Runs.Steps) < 4 || len(a.Inputs) < 5 {
		t.Fatalf("not the action: %+v", a)
	}
	return a
}

var expression = regexp.MustCompile(`\$\{\{ *([^}]*[^} ]) *\}\}`)

// What an input holds never becomes part of a script.
func TestActionKeepsInputsOutOfScripts(t *testing.T) {
	a := loadAction(t)
	for _, s := range a.Runs.Steps {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("%s puts an expression into its script", s.ID)
		}
		if s.Uses != "" && !regexp.MustCompile(`@[0-9a-f]{40}$`).MatchString(s.Uses) {
			t.Errorf("%s uses %s, which is not pinned", s.ID, s.Uses)
		}
		if s.Shell != "bash" {
			t.Errorf("%s has shell %q", s.ID, s.Shell)
		}
		for name, value := range s.Env {
			m := expression.FindStringSubmatch(value)
			if m == nil {
				continue
			}
			input, ok := strings.CutPrefix(m[1], "inputs.")
			if _, known := a.Inputs[input]; !ok || !known {
				t.Errorf("%s: %s is %s, which is no input", s.ID, name, value)
			}
		}
	}
	for name, o := range a.Outputs {
		if !expression.MatchString(o.Value) {
			t.Errorf("output %s is %q", name, o.Value)
		}
	}
}

// job runs the steps as a runner does.
type job struct {
	t       *testing.T
	action  action
	dir     string
	temp    string
	inputs  map[string]string
	path    []string
	outputs map[string]map[string]string
	status  map[string]int
	log     map[string]string
}

func newJob(t *testing.T, dir string, inputs map[string]string) *job {
	t.Helper()
	j := &job{t: t, action: loadAction(t), dir: dir, temp: t.TempDir(), inputs: map[string]string{}, outputs: map[string]map[string]string{}, status: map[string]int{}, log: map[string]string{}}
	for name, in := range j.action.Inputs {
		j.inputs[name] = in.Default
	}
	for name, value := range inputs {
		if _, known := j.inputs[name]; !known {
			t.Fatalf("no input %q", name)
		}
		j.inputs[name] = value
	}
	return j
}

// wanted evaluates the conditions that the action has.
func (j *job) wanted(s step) bool {
	switch m := expression.FindStringSubmatch(s.If); {
	case s.If == "":
		for _, status := range j.status {
			if status != 0 {
				return false // success() is meant
			}
		}
		return true
	case m != nil && m[1] == "!cancelled()":
		return true
	case m != nil && m[1] == "inputs.against != ''":
		return j.inputs["against"] != "" && j.status["install"] == 0
	case m != nil && m[1] == "!cancelled() && inputs.against != ''":
		return j.inputs["against"] != ""
	case m != nil && m[1] == "!cancelled() && inputs.invariants != ''":
		return j.inputs["invariants"] != ""
	}
	j.t.Fatalf("%s: a condition that the test does not know: %s", s.ID, s.If)
	return false
}

func (j *job) run() {
	j.t.Helper()
	for _, s := range j.action.Runs.Steps {
		if !j.wanted(s) {
			continue
		}
		script := filepath.Join(j.temp, s.ID+".sh")
		output, path := filepath.Join(j.temp, s.ID+".output"), filepath.Join(j.temp, s.ID+".path")
		put(j.t, j.temp, map[string]string{s.ID + ".sh": s.Run, s.ID + ".output": "", s.ID + ".path": ""})
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", script)
		cmd.Dir = j.dir
		cmd.Env = append(os.Environ(), "RUNNER_TEMP="+j.temp, "GITHUB_OUTPUT="+output, "GITHUB_PATH="+path,
			"GITHUB_STEP_SUMMARY="+filepath.Join(j.temp, "summary.md"), "PATH="+strings.Join(append(j.path, os.Getenv("PATH")), ":"))
		for name, value := range s.Env {
			cmd.Env = append(cmd.Env, name+"="+expression.ReplaceAllStringFunc(value, func(e string) string {
				return j.inputs[strings.TrimPrefix(expression.FindStringSubmatch(e)[1], "inputs.")]
			}))
		}
		out, err := cmd.CombinedOutput()
		j.status[s.ID], j.log[s.ID] = exitStatus(j.t, err), string(out)
		for line := range strings.Lines(read(j.t, path)) {
			j.path = append([]string{strings.TrimSpace(line)}, j.path...)
		}
		j.outputs[s.ID] = map[string]string{}
		for line := range strings.Lines(read(j.t, output)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			j.outputs[s.ID][name] = value
		}
	}
}

func (j *job) want(statuses map[string]int) {
	j.t.Helper()
	for id, want := range statuses {
		got, ran := j.status[id]
		if !ran || got != want {
			j.t.Errorf("step %s: status %d (ran %t), want %d:\n%s", id, got, ran, want, j.log[id])
		}
	}
	for _, s := range j.action.Runs.Steps {
		if _, known := statuses[s.ID]; !known && j.status[s.ID] != 0 {
			j.t.Errorf("step %s: status %d:\n%s", s.ID, j.status[s.ID], j.log[s.ID])
		}
	}
}

func withBinary(more map[string]string) map[string]string {
	in := map[string]string{"binary": filepath.Join(bin, "openshell-policy")}
	for k, v := range more {
		in[k] = v
	}
	return in
}

func TestActionOnGoodPolicies(t *testing.T) {
	dir := repo(t, good())
	j := newJob(t, dir, withBinary(map[string]string{"min-coverage": "100", "min-score": "90", "fail-on": "warning"}))
	j.run()
	j.want(map[string]int{"install": 0, "lint": 0, "test": 0})
	var sarif struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal([]byte(read(t, dir, "openshell-policy.sarif")), &sarif); err != nil || sarif.Version != "2.1.0" {
		t.Errorf("SARIF: %+v, %v", sarif, err)
	}
	for file, want := range map[string]string{
		"openshell-policy-tests.xml": `tests="5" failures="0"`, "openshell-policy.lcov": "SF:policies/team.yaml\n",
	} {
		if text := read(t, dir, file); !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", file, want, text)
		}
	}
	for _, want := range []string{"Policy lint", "### Policy tests", "coverage  1 of 1 rule, 100.0 %", "mutation  "} {
		if summary := read(t, j.temp, "summary.md"); !strings.Contains(summary, want) {
			t.Errorf("the summary lacks %q:\n%s", want, summary)
		}
	}
	if j.outputs["test"]["failed"] != "0" || j.outputs["lint"]["findings"] == "" {
		t.Errorf("outputs %v", j.outputs)
	}
	if _, ran := j.status["diff"]; ran {
		t.Error("nothing to compare with, and diff ran")
	}
}

func TestActionOnBadPolicies(t *testing.T) {
	files := good()
	files["policies/bad.yaml"] = strings.ReplaceAll(strings.Replace(policyText, "api.example.com", "*", 1), "team", "bad")
	files["policies/team_test.yaml"] = strings.Replace(testText, "expect: allow", "expect: deny", 1)
	j := newJob(t, repo(t, files), withBinary(nil))
	j.run()
	j.want(map[string]int{"lint": 1, "test": 1})
	if !strings.Contains(j.log["lint"], "::error file=policies/bad.yaml,line=") || j.outputs["lint"]["findings"] == "0" {
		t.Errorf("lint: %s, %v", j.log["lint"], j.outputs["lint"])
	}
	if !strings.Contains(j.log["test"], "::error::policy tests: 1 failed") || j.outputs["test"]["failed"] != "1" {
		t.Errorf("test: %s, %v", j.log["test"], j.outputs["test"])
	}
}

// A change cannot relax its own check, and says what it lets through.
func TestActionOnAChange(t *testing.T) {
	dir := repo(t, good())
	base := strings.TrimSpace(git(t, dir, "rev-parse", "HEAD"))
	put(t, dir, map[string]string{
		".openshell-lint.yaml":    "severities: {OSP3005: \"off\"}\n",
		"policies/team.yaml":      strings.Replace(strings.Replace(policyText, "methods: [GET]", "methods: [GET, POST]", 1), "scheme: https", "scheme: http", 1),
		"policies/team_test.yaml": strings.Split(testText, "    - request: POST")[0],
	})
	put(t, dir, map[string]string{"policies/team_test.yaml": strings.Replace(strings.Split(testText, "    - request: POST")[0], "GET https", "GET http", 1)})
	commit(t, dir)
	j := newJob(t, dir, withBinary(map[string]string{"against": base, "diff-fail-on": "wider", "fail-on": "warning"}))
	j.run()
	j.want(map[string]int{"base": 0, "lint": 1, "test": 0, "diff": 1})
	if !strings.Contains(j.log["lint"], "OSP3005") {
		t.Errorf("lint: %s", j.log["lint"])
	}
	if summary := read(t, j.temp, "summary.md"); !strings.Contains(summary, "POST") || !strings.Contains(summary, "api.example.com") {
		t.Errorf("the summary does not say what is wider:\n%s", summary)
	}
	j = newJob(t, dir, withBinary(map[string]string{"against": base}))
	j.run()
	j.want(map[string]int{"diff": 0})
}

// Invariants are those of the base: a change that drops one is still held to it.
func TestActionProvesInvariants(t *testing.T) {
	files := good()
	files["invariants.yaml"] = "apiVersion: openshell.nvidia.com/v1alpha1\nkind: PolicyInvariants\nmetadata: {name: x}\nspec:\n  invariants:\n    - {name: no-posts, never: [\"POST *://**:*/**\"]}\n"
	dir := repo(t, files)
	base := strings.TrimSpace(git(t, dir, "rev-parse", "HEAD"))
	j := newJob(t, dir, withBinary(map[string]string{"invariants": "invariants.yaml"}))
	j.run()
	j.want(map[string]int{"prove": 0})
	put(t, dir, map[string]string{
		"policies/team.yaml":      strings.Replace(policyText, "[GET]", "[GET, POST]", 1),
		"policies/team_test.yaml": strings.Split(testText, "    - request: POST")[0],
		"invariants.yaml":         strings.Replace(files["invariants.yaml"], "POST", "DELETE", 1),
	})
	commit(t, dir)
	j = newJob(t, dir, withBinary(map[string]string{"invariants": "invariants.yaml", "against": base}))
	j.run()
	j.want(map[string]int{"prove": 1})
	if summary := read(t, j.temp, "summary.md"); !strings.Contains(summary, "### Invariants") || !strings.Contains(summary, "no-posts") {
		t.Errorf("the summary does not tell:\n%s", summary)
	}
}

func TestActionDoesNotRunItsInputs(t *testing.T) {
	dir := repo(t, good())
	for _, paths := range []string{"policies; touch pwned", "$(touch pwned)", "`touch pwned`", "policies\n$(touch pwned)"} {
		j := newJob(t, dir, withBinary(map[string]string{"paths": paths, "sarif-file": "$(touch pwned).sarif", "against": "--output=pwned"}))
		j.run()
		if j.status["lint"] == 0 || j.status["test"] == 0 {
			t.Errorf("%q: a path that is not there passes: %v", paths, j.status)
		}
		if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
			t.Fatalf("%q was run", paths)
		}
	}
}

// release serves the command as a release would, and returns its digest.
func release(t *testing.T) (url, digest string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(bin, "openshell-policy"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	zw, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	tw := tar.NewWriter(zw)
	if err := tw.WriteHeader(&tar.Header{Name: "openshell-policy", Mode: 0o755, Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	if _, err := tw.Write(data); err != nil {
		t.Fatal(err)
	}
	if tw.Close() != nil || zw.Close() != nil {
		t.Fatal("the archive cannot be closed")
	}
	sum := sha256.Sum256(b.Bytes())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v9.9.9-test/openshell-policy_linux_") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(b.Bytes())
	}))
	t.Cleanup(s.Close)
	return s.URL, hex.EncodeToString(sum[:])
}

func TestActionInstallsWhatIsPinned(t *testing.T) {
	url, digest := release(t)
	dir := repo(t, good())
	j := newJob(t, dir, map[string]string{"download-url": url, "version": "v9.9.9-test", "sha256": digest})
	j.run()
	j.want(map[string]int{"install": 0, "lint": 0, "test": 0})
	if !strings.Contains(j.log["install"], "openshell-policy v9.9.9-test") {
		t.Errorf("install: %s", j.log["install"])
	}
	for name, in := range map[string]map[string]string{
		"another digest": {"download-url": url, "version": "v9.9.9-test", "sha256": strings.Repeat("0", 64)},
		"no digest":      {"download-url": url, "version": "v9.9.9-test"},
		"no version":     {"download-url": url, "sha256": digest},
		"not there":      {"download-url": url, "version": "v0", "sha256": digest},
	} {
		j := newJob(t, dir, in)
		j.action.Runs.Steps = j.action.Runs.Steps[:1]
		j.run()
		if j.status["install"] == 0 || len(j.path) > 0 {
			t.Errorf("%s: installed: %s", name, j.log["install"])
		}
	}
}
