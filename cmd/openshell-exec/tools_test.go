package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// tools is a policy for developing: everything below the folder but what is
// blocked by name, so that every open is decided.
const tools = `
  filesystem:
    writable: ["WORK/**", "/tmp/**"]
    readonly: ["/etc/**", "BIN/**"]
    blocked: ["**/.env"]
  execution:
    blocked_commands: ["rm -rf /", "curl * | bash"]`

// Real programs work where every open and every execution is decided.
func TestRealPrograms(t *testing.T) {
	tests := []struct {
		name, program, script, out string
	}{
		{"bash", "bash", `bash -c 'cat <(echo substituted); cat <<< here; mkfifo p; (echo fifo > p) & cat p; wait'`, "substituted\nhere\nfifo\n"},
		{"git", "git", `git init -q r && cd r && git config user.email a@b && git config user.name n && echo x > f &&
printf '#!/bin/sh\necho the hook ran\n' > .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit && git add f && git commit -qm one &&
cd .. && git clone -q r s && cat s/f`, "the hook ran\nx\n"},
		{"gcc and make", "gcc", `printf 'int main(){return 0;}\n' > m.c && printf 'all: a b c d\na b c d: m.c\n\tgcc -o $@ m.c\n' > Makefile &&
make -sj4 && ./a && echo made`, "made\n"},
		{"python", "python3", `python3 -m venv --without-pip v && mkdir v/mod && printf 'x=42\n' > v/mod/__init__.py &&
PYTHONPATH=v v/bin/python -c 'import mod, ssl, asyncio, multiprocessing as m; print(mod.x)'`, "42\n"},
		{"node and npm", "npm", `printf '{"name":"x","version":"1.0.0","scripts":{"hi":"node -e \\"console.log(6*7)\\""}}' > package.json && npm run -s hi`, "42\n"},
		{"pip and a wheel", "pip3", `mkdir p && printf 'from setuptools import setup\nsetup(name="shimdemo", version="1.0", py_modules=["shimdemo"])\n' > p/setup.py && printf 'x=41+1\n' > p/shimdemo.py &&
cd p && /usr/bin/python3 setup.py -q bdist_wheel > log 2>&1; cd .. && /usr/bin/python3 -m pip install -q --no-index --no-deps --no-warn-script-location --disable-pip-version-check --target t p/dist/*.whl > log 2>&1 || cat log p/log;
PYTHONPATH=t /usr/bin/python3 -c 'import shimdemo; print(shimdemo.x)'`, "42\n"},
		{"make with many jobs", "make", `i=0; while [ $i -lt 24 ]; do echo "int f$i(void){return $i;}" > f$i.c; i=$((i+1)); done; echo 'int main(){return 0;}' > main.c;
printf 'OBJ=$(patsubst %%.c,%%.o,$(wildcard *.c))\nprog: $(OBJ)\n\tgcc -o $@ $(OBJ)\n' > Makefile && make -sj8 && ./prog && ls *.o | wc -l`, "25\n"},
		{"go", "go", `mkdir g && cd g && printf 'module demo\ngo 1.24\n' > go.mod && printf 'package main\nfunc main() { println(6*7) }\n' > main.go &&
export PATH=$PATH:$TOOLS GOCACHE=WORK/cache GOPATH=WORK/gopath GOTOOLCHAIN=local GOPROXY=off && go build -o demo . && ./demo && go vet .`, "42\n"},
		{"apt-get", "apt-get", `apt-get download no-such-package-of-openshell; echo status $?`, "status 100\n"},
		{"script of env", "node", `printf '#!/usr/bin/env node\nconsole.log(6*7)\n' > tool && chmod +x tool && ./tool`, "42\n"},
		{"tar and find", "tar", `mkdir d && echo 1 > d/f && tar czf t.tgz d && rm -r d && tar xzf t.tgz && find d -type f -exec cat {} +`, "1\n"},
	}
	for _, m := range modes() {
		for _, test := range tests {
			t.Run(test.name+"/"+m.name, func(t *testing.T) {
				file, err := exec.LookPath(test.program)
				need(t, err, test.program)
				w := newWorld(t, m, tools)
				w.env = append(w.env, "TOOLS="+filepath.Dir(file)) // go is not always on a plain PATH
				if test.program == "go" {
					w.warm(t)
				}
				w.sh(test.script).expect(t, 0, test.out)
			})
		}
	}
}

// warm builds what every Go program needs outside of the sandbox, into the cache
// that is used inside: to do it inside takes most of a minute and shows no more.
func (w *world) warm(t *testing.T) {
	t.Helper()
	cmd := exec.Command("go", "build", "runtime")
	cmd.Dir = w.work
	cmd.Env = append(os.Environ(), "GOCACHE="+filepath.Join(w.work, "cache"), "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := filepath.WalkDir(w.work, func(file string, _ os.DirEntry, err error) error {
		w.own(file)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
