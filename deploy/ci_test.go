package deploy_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The image's build makes a static command of the version that was asked for;
// what it runs is what it copied, as nobody in particular.
func TestContainerfile(t *testing.T) {
	path := filepath.Join(bin, "openshell-policy")
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("the command is not static")
	}
	if out, err := exec.Command(path, "version").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "openshell-policy v9.9.9-test ") {
		t.Errorf("version: %s, %v", out, err)
	}
	image, err := readContainerfile()
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	froms := 0
	for _, i := range image {
		last[i.name] = i.rest
		if i.name == "FROM" {
			froms++
		}
	}
	if froms != 2 || last["ENTRYPOINT"] != `["/usr/local/bin/openshell-policy"]` || last["COPY"] != "--from=build /out/openshell-policy /usr/local/bin/openshell-policy" {
		t.Errorf("%d stages, %v", froms, last)
	}
	if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(last["USER"]) {
		t.Errorf("it runs as %q", last["USER"])
	}
	if ignored := read(t, "../.dockerignore"); !strings.Contains(ignored, ".git\n") {
		t.Errorf("the build context takes too much: %s", ignored)
	}
}

// hook is one of .pre-commit-hooks.yaml.
type hook struct {
	ID            string   `yaml:"id"`
	Entry         string   `yaml:"entry"`
	Language      string   `yaml:"language"`
	Files         string   `yaml:"files"`
	Args          []string `yaml:"args"`
	PassFilenames *bool    `yaml:"pass_filenames"`
}

// run does what pre-commit does with the files of a commit.
func (h *hook) run(t *testing.T, dir string) (status int, out string) {
	t.Helper()
	args := append(strings.Fields(h.Entry), h.Args...)
	if h.PassFilenames == nil || *h.PassFilenames {
		selected := 0
		for _, file := range strings.Fields(git(t, dir, "ls-files")) {
			if regexp.MustCompile(h.Files).MatchString(file) {
				args = append(args, file)
				selected++
			}
		}
		if selected == 0 {
			t.Fatalf("%s takes no file", h.ID)
		}
	}
	cmd := exec.Command(filepath.Join(bin, args[0]), args[1:]...)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	return exitStatus(t, err), string(text)
}

func TestPreCommitHooks(t *testing.T) {
	var hooks []hook
	parseYAML(t, "../.pre-commit-hooks.yaml", &hooks)
	if len(hooks) < 3 {
		t.Fatalf("%d hooks", len(hooks))
	}
	bad := good()
	bad["policies/team.yaml"] = strings.Replace(policyText, "api.example.com", "*", 1)
	failing := good()
	failing["policies/team_test.yaml"] = strings.Replace(testText, "expect: allow", "expect: deny", 1)
	for _, h := range hooks {
		if h.Language != "golang" || !strings.HasPrefix(h.Entry, "openshell-policy ") {
			t.Errorf("%s: %+v", h.ID, h)
		}
		if status, out := h.run(t, repo(t, good())); status != 0 {
			t.Errorf("%s on good policies: %d, %s", h.ID, status, out)
		}
		broken := bad
		if h.ID == "openshell-policy-test" {
			broken = failing
		}
		if status, out := h.run(t, repo(t, broken)); status == 0 {
			t.Errorf("%s on bad policies passes: %s", h.ID, out)
		}
	}
}

// gitlabJob is a job of the GitLab file.
type gitlabJob struct {
	Extends   string            `yaml:"extends"`
	Script    []string          `yaml:"script"`
	Coverage  string            `yaml:"coverage"`
	Variables map[string]string `yaml:"variables"`
	Artifacts struct {
		Reports map[string]string `yaml:"reports"`
	} `yaml:"artifacts"`
}

func TestGitLab(t *testing.T) {
	var all map[string]gitlabJob
	parseYAML(t, "gitlab/policies.gitlab-ci.yml", &all)
	var top struct {
		Variables map[string]string `yaml:"variables"`
	}
	parseYAML(t, "gitlab/policies.gitlab-ci.yml", &top)
	dir := repo(t, good())
	base := strings.TrimSpace(git(t, dir, "rev-parse", "HEAD"))
	put(t, dir, map[string]string{"policies/team.yaml": strings.Replace(policyText, "[GET]", "[GET, PUT]", 1)})
	commit(t, dir)
	ran := 0
	for name, job := range all {
		if len(job.Script) == 0 {
			continue
		}
		ran++
		cmd := exec.Command("sh", "-ec", strings.Join(job.Script, "\n"))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), ours(), "CI_MERGE_REQUEST_DIFF_BASE_SHA="+base)
		for key, value := range top.Variables {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if status := exitStatus(t, err); status != 0 {
			t.Errorf("%s: %d: %s", name, status, out)
		}
		if report := job.Artifacts.Reports["junit"]; report != "" && !strings.Contains(read(t, dir, report), "<testsuites") {
			t.Errorf("%s: no report in %s", name, report)
		}
		if job.Coverage != "" {
			re := regexp.MustCompile("(?m)" + strings.Trim(job.Coverage, "/"))
			if m := re.FindStringSubmatch(string(out)); m == nil || m[1] != "100.0" {
				t.Errorf("%s: the coverage is not found in %s", name, out)
			}
		}
		if name == "policy-diff" && !strings.Contains(string(out), "PUT") {
			t.Errorf("policy-diff does not tell: %s", out)
		}
	}
	if ran != 3 {
		t.Errorf("%d jobs ran", ran)
	}
}
