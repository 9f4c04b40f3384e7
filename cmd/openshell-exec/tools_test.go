package main_test

import (
	"os/exec"
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
		{"tar and find", "tar", `mkdir d && echo 1 > d/f && tar czf t.tgz d && rm -r d && tar xzf t.tgz && find d -type f -exec cat {} +`, "1\n"},
	}
	for _, m := range modes() {
		for _, test := range tests {
			t.Run(test.name+"/"+m.name, func(t *testing.T) {
				_, err := exec.LookPath(test.program)
				need(t, err, test.program)
				w := newWorld(t, m, tools)
				w.sh(test.script).expect(t, 0, test.out)
			})
		}
	}
}
