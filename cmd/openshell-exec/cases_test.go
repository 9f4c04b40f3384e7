package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
)

// row is one acceptance case: a script under a policy.
type row struct {
	id     string // of the case, and what it is about
	spec   string
	script string
	status int
	out    string // in the output
	not    string // not in it
	code   schemas.Code
}

// busy allows every command and lists what P0 does not.
const busy = `
  filesystem:
    writable: ["WORK/**"]
    readonly: ["/etc/**", "BIN/**"]
    blocked: ["/etc/shadow", "/root/.ssh/**", "**/.env", "**/credentials*"]
  execution:
    blocked_commands: ["rm -rf /", "curl * | bash", "wget * | sh"]`

const refused = "Permission denied"

var fileRows = []row{
	{id: "F01 read", spec: plain, script: "cat WORK/a.txt", out: "hello"},
	{id: "F03 read of what is read-only", spec: plain, script: "cat /etc/hostname"},
	{id: "F04 write of what is read-only", spec: plain, script: "touch /etc/x", status: 1, out: refused, code: schemas.CodeNotWritable},
	{id: "F06 keys of SSH", spec: plain, script: "cat /root/.ssh/id_rsa", status: 1, code: ""},
	{id: "F07 blocked by name", spec: plain, script: "cat WORK/.env", status: 1, out: refused, not: "SECRET", code: schemas.CodeBlockedPath},
	{id: "F09 another name", spec: plain, script: "cat WORK/.env.example", out: "example"},
	{id: "F10 blocked file", spec: plain, script: "cat WORK/credentials.json", status: 1, out: refused, code: schemas.CodeBlockedPath},
	{id: "F10 blocked folder", spec: plain, script: "cat WORK/credentials/aws/k", status: 1, out: refused, code: schemas.CodeBlockedPath},
	{id: "F12 create what is blocked", spec: plain, script: "mkdir WORK/n && echo x > WORK/n/.env", status: 2, out: refused, code: schemas.CodeBlockedPath},
	{id: "F13 without a shell", spec: plain, script: `exec python3 -c 'open("WORK/.env")'`, status: 1, out: "PermissionError", code: schemas.CodeBlockedPath},
	{id: "F15 baseline", spec: plain, script: "git --version && head -c 4 /usr/bin/git | od -c | head -1", out: "E   L   F"},
	{id: "F16 write into the baseline", spec: plain, script: "echo x > /usr/local/bin/openshell-tool", status: 2, out: refused, code: schemas.CodeNotWritable},
	{id: "F18 stat of what is blocked", spec: plain, script: "stat -c %s WORK/.env", out: "9"},
	{id: "F19 dead grant", spec: "\n  filesystem: {writable: [\"WORK/**\"], blocked: [\"WORK/**\"]}", script: "cat WORK/a.txt; ls WORK; echo x > WORK/b", status: 2, out: refused, not: "hello", code: schemas.CodeBlockedPath},
	{id: "F22 parent of a folder", spec: plain, script: "cat WORK/sub/../../../../etc/shadow", status: 1, out: refused, code: schemas.CodeBlockedPath},
	{id: "F24 link", spec: plain, script: "ln -s .env WORK/l && cat WORK/l", status: 1, out: refused, not: "SECRET", code: schemas.CodeBlockedPath},
	{id: "F24 link to a folder", spec: plain, script: "ln -s ../work WORK/sub/up && cat WORK/sub/../sub/up/.env", status: 1, not: "SECRET"},
	{id: "F25 links in a circle", spec: plain, script: "ln -s loop WORK/loop; cat WORK/loop", status: 1, out: "Too many levels"},
	{id: "F27 name that is no text", spec: plain, script: `n=$(printf '\377'); echo fine > WORK/$n.env && cat WORK/$n.env && mkdir WORK/$n && echo x > WORK/$n/.env`, status: 2, out: "fine", code: schemas.CodeBlockedPath},
	{id: "F28 path that is too long", spec: plain, script: `p=WORK; i=0; while [ $i -lt 2100 ]; do p=$p/.; i=$((i+1)); done; cat $p/.env`, status: 1, out: "File name too long"},
	{id: "F30 truncate", spec: plain, script: "truncate -s 0 WORK/.env", status: 1, out: refused, code: schemas.CodeBlockedPath},
	{id: "F30 chmod", spec: plain, script: "chmod 777 WORK/.env", status: 1, out: refused, code: schemas.CodeBlockedPath},
	{id: "F30 times", spec: plain, script: "touch -c WORK/.env", status: 1, out: refused, code: schemas.CodeBlockedPath},
	{id: "F30 extended attribute", spec: plain, script: `python3 -c 'import os; os.setxattr("WORK/.env", "user.x", b"1")'`, status: 1, out: "PermissionError", code: schemas.CodeBlockedPath},
	{id: "F30 mode by descriptor", spec: plain, script: `python3 -c 'import os; os.fchmod(os.open("/etc/hostname", os.O_RDONLY), 0o777)'`, status: 1, out: "PermissionError", code: schemas.CodeNotWritable},
	{id: "F31 rename", spec: plain, script: "mv WORK/.env WORK/e", status: 1, out: refused, code: schemas.CodeBlockedPath},
	{id: "F31 rename onto", spec: plain, script: "mv WORK/a.txt WORK/.env", status: 1, out: refused, code: schemas.CodeBlockedPath},
	{id: "F31 rename of the folder above", spec: plain, script: "mv WORK/secret WORK/open; cat WORK/open/key", status: 1, out: refused, not: "SECRET", code: schemas.CodeBlockedPath},
	{id: "F33 hard link", spec: plain, script: "ln WORK/.env WORK/e", status: 1, out: refused, code: schemas.CodeBlockedPath},
	{id: "F34 hard link from before", spec: plain, script: "cat WORK/alias", status: 1, out: refused, not: "SECRET", code: schemas.CodeBlockedPath},
	{id: "F39 copy of a tree", spec: plain, script: "cp -r WORK/tree WORK/copy; ls -A WORK/copy; cat WORK/copy/ok", out: "fine", not: ".env\n"},
	{id: "F40 search through a tree", spec: plain, script: "grep -r e WORK/tree", status: 2, out: "fine", not: "SECRET", code: schemas.CodeBlockedPath},
	{id: "F40 archive of a tree", spec: plain, script: "tar cf WORK/t.tar -C WORK tree; tar tf WORK/t.tar", out: "tree/ok", not: "SECRET"},
	{id: "device nodes", spec: plain, script: "echo x > /dev/null && head -c 3 /dev/zero | od -c && (echo ok > /dev/stdout) | cat", out: "ok"},
	{id: "create and remove", spec: plain, script: "mkdir WORK/d && echo 1 > WORK/d/f && mv WORK/d WORK/e && rm WORK/e/f && rmdir WORK/e && echo done", out: "done"},
	{id: "umask", spec: plain, script: "umask 027; echo 1 > WORK/u; mkdir WORK/ud; stat -c %a WORK/u WORK/ud", out: "640\n750"},
	{id: "append and truncate", spec: plain, script: "echo 1 > WORK/f; echo 2 >> WORK/f; cat WORK/f; : > WORK/f; stat -c %s WORK/f", out: "1\n2\n0"},
}

var bypassRows = []row{
	{id: "K03 root of itself", spec: plain, script: "cat /proc/self/root/etc/shadow", status: 1, out: refused, code: schemas.CodeBlockedPath},
	{id: "K03 root of another", spec: plain, script: "cat /proc/1/root/etc/shadow /proc/$PPID/root/etc/shadow", status: 1, out: refused},
	{id: "K03 own folder", spec: plain, script: "cd WORK; cat /proc/self/cwd/.env", status: 1, out: refused, code: schemas.CodeBlockedPath},
	{id: "K03 own descriptor", spec: plain, script: "cat /dev/fd/0 < WORK/a.txt", out: "hello"},
	{id: "K05 folder that is only named", spec: plain, script: `python3 -c 'import os; d=os.open("WORK", os.O_PATH); os.open(".env", os.O_RDONLY, dir_fd=d)'`, status: 1, out: "PermissionError", code: schemas.CodeBlockedPath},
	{id: "K05 name that is opened again", spec: plain, script: `python3 -c 'import os; d=os.open("WORK/.env", os.O_PATH); os.open("/proc/self/fd/%d" % d, os.O_RDONLY)'`, status: 1, out: "PermissionError", code: schemas.CodeBlockedPath},
	{id: "K08 unmount", spec: plain, script: "umount /proc", status: 32},
	{id: "K09 chroot", spec: plain, script: `python3 -c 'import os; os.chroot("WORK")'`, status: 1, out: "PermissionError"},
	{id: "K14 map for writing", spec: plain, script: `python3 -c 'import mmap; mmap.mmap(open("/etc/hostname","r+").fileno(), 0)'`, status: 1, out: "PermissionError", code: schemas.CodeNotWritable},
	{id: "K17 memory of the supervisor", spec: plain, script: "s=$(awk '/^PPid/{print $2}' /proc/$PPID/status); cat /proc/$s/environ /proc/$PPID/environ", status: 1, out: refused},
	{id: "K24 not dumpable", spec: plain, script: `python3 -c 'import ctypes; print(ctypes.CDLL(None).prctl(4,0,0,0,0)); open("WORK/a.txt")'`, out: "0"},
	{id: "K30 dangling link", spec: plain, script: "ln -s /etc/openshell-x WORK/d; echo x > WORK/d", status: 2, out: refused, code: schemas.CodeNotWritable},
	{id: "own files below proc", spec: plain, script: "head -1 /proc/self/status; test $(cat /proc/self/comm) = cat && grep -c . /proc/self/maps > WORK/n && echo ok", out: "Name:\thead"},
	{id: "X15 namespaces", spec: plain, script: "unshare -Ur true", status: 1},
	{id: "X18 settings of the kernel", spec: plain, script: "echo x > /proc/sys/kernel/core_pattern", status: 2, out: refused, code: schemas.CodeNotWritable},
	{id: "N10 kill the supervisor", spec: plain, script: "s=$(awk '/^PPid/{print $2}' /proc/$PPID/status); kill -9 $s; kill -9 $PPID; echo alive", out: "alive"},
	{id: "N03 datagrams", spec: plain, script: `python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)'`, status: 1, out: "not supported"},
}

var commandRows = []row{
	{id: "C02 no arguments", spec: strict, script: "git", status: 1, out: "usage: git"},
	{id: "C03 another word", spec: strict, script: "exec gitk", status: 126, code: schemas.CodeCommandNotAllowed},
	{id: "C05 planted", spec: strict, script: "PATH=WORK/bin:$PATH; git planted", status: 1, out: "not a git command", code: schemas.CodeUntrustedProgram},
	{id: "C06 link to another program", spec: strict, script: "cd WORK && ./rmlink a.txt", status: 126, code: schemas.CodeCommandNotAllowed},
	{id: "C08 argv0 of another", spec: strict, script: "bash -c 'exec -a git /bin/rm WORK/a.txt'", status: 126, code: schemas.CodeCommandNotAllowed},
	{id: "C09 several allowed", spec: strict, script: "git --version && python3 -c 'print(1+1)'", out: "2"},
	{id: "C11 harmless variable", spec: strict, script: "FOO=1 git --version", out: "git version"},
	{id: "C12 loader variable", spec: strict, script: "LD_PRELOAD=WORK/e.so git --version", status: 126, code: schemas.CodeUntrustedProgram},
	{id: "C12 loader variable from inside", spec: strict, script: `python3 -c 'import os; os.execve("/usr/bin/git", ["git","--version"], {"GIT_SSH_COMMAND":"x"})'`, status: 1, out: "PermissionError", code: schemas.CodeUntrustedProgram},
	{id: "C12 programs of git of one's own", spec: strict, script: `python3 -c 'import os; os.execve("/usr/bin/git", ["git","--version"], {"GIT_EXEC_PATH":"WORK/bin"})'`, status: 1, out: "PermissionError", code: schemas.CodeUntrustedProgram},
	{id: "C14 sudo", spec: strict, script: "sudo git status", status: 126, code: schemas.CodeCommandNotAllowed},
	{id: "C15 blocked", spec: busy, script: "rm -rf /", status: 126, code: schemas.CodeBlockedCommand},
	{id: "C17 other spelling", spec: busy, script: "rm -r -f --no-preserve-root /", status: 126, code: schemas.CodeBlockedCommand},
	{id: "C17 from inside", spec: busy, script: `python3 -c 'import os; os.execv("/bin/rm", ["x","-fr","//"])'`, status: 1, out: "PermissionError", code: schemas.CodeBlockedCommand},
	{id: "C18 pipeline", spec: busy, script: "curl -s file:///etc/hostname | bash", status: 126, code: schemas.CodeBlockedCommand},
	{id: "C20 hidden pipeline", spec: busy, script: `a=cu;b=rl; $a$b -s file:///etc/hostname | ba""sh; echo ended`, out: "ended", code: schemas.CodeBlockedCommand},
	{id: "C20 through another program", spec: busy, script: `a=cu;b=rl; $a$b -s file:///etc/hostname | tee WORK/x | ba""sh; echo ended`, out: "ended", code: schemas.CodeBlockedCommand},
	{id: "C20 through a program of one's own", spec: busy, script: `python3 -c 'import subprocess as s; p=s.Popen(["curl","-s","file:///etc/hostname"],stdout=s.PIPE); s.run(["bash"],stdin=p.stdout)'`, status: 1, out: "PermissionError", code: schemas.CodeBlockedCommand},
	{id: "C20 reader first", spec: busy, script: `python3 -c 'import subprocess as s,os; r,w=os.pipe(); b=s.Popen(["bash"],stdin=r); s.run(["curl","-s","file:///etc/hostname"],stdout=w)'`, status: 1, out: "PermissionError", code: schemas.CodeBlockedCommand},
	{id: "C21 process substitution", spec: busy, script: `a=cu; bash -c 'b=rl; exec bash <($0$b -s file:///etc/hostname)' $a; echo ended`, out: "ended", code: schemas.CodeBlockedCommand},
	{id: "C26 through a shell", spec: strict, script: "bash -lc 'git --version'", out: "git version"},
	{id: "C27 shell in a shell", spec: busy, script: `sh -c 'sh -c "rm -rf /"'`, status: 126, code: schemas.CodeBlockedCommand},
	{id: "C30 argument that is not literal", spec: strict, script: `x=--version; git "$x"`, out: "git version"},
	{id: "C33 control flow", spec: strict, script: `for i in 1 2; do if true; then git --version; fi; done | while read l; do echo "$l"; done; { (git --version); }`, out: "git version"},
	{id: "C36 syntax error", spec: strict, script: `git "--version`, status: 126, code: schemas.CodeBadRequest},
	{id: "C39 look-alike", spec: strict, script: "PATH=WORK/bin:$PATH; ɡit status", status: 126, code: schemas.CodeCommandNotAllowed},
	{id: "C42 from node", spec: strict, script: `node -e 'console.log(require("child_process").spawnSync("ls").error.code)'`, out: "EACCES", code: schemas.CodeCommandNotAllowed},
	{id: "C44 helper of git", spec: strict, script: "git clone -q WORK/repo WORK/clone && git -C WORK/clone log --oneline | cat; echo ended", status: 126, code: schemas.CodeCommandNotAllowed},
	{id: "C44 helper of git alone", spec: strict, script: "git clone -q WORK/repo WORK/clone && git -C WORK/clone rev-parse HEAD", out: "\n"},
	{id: "C45 script of python", spec: strict, script: "python3 WORK/sh.py", out: "from python"},
	{id: "C47 planted interpreter", spec: strict, script: "cd WORK && ./evil", status: 126, not: "planted"},
	{id: "C47 interpreter that is allowed", spec: strict, script: "cd WORK && ./tool.py", out: "from a tool"},
	{id: "C48 text without interpreter", spec: strict, script: "cd WORK && ./text", status: 126, code: schemas.CodeCommandNotAllowed},
	{id: "C50 both lists", spec: "\n  filesystem: {writable: [\"WORK/**\"]}\n  execution: {allowed_commands: [\"rm *\"], blocked_commands: [\"rm -rf /\"]}", script: "rm -rf /", status: 126, code: schemas.CodeBlockedCommand},
	{id: "C51 too many arguments", spec: strict, script: `python3 -c 'import os; os.execv("/usr/bin/git", ["git"]+["x"*100]*3000)'`, status: 1, out: "Argument list too long", code: schemas.CodeBadRequest},
	{id: "X05 memfd", spec: strict, script: `python3 -c 'import os; f=os.memfd_create("git"); os.write(f, open("/usr/bin/git","rb").read()); os.execve(f, ["git"], {})'`, status: 1, out: "PermissionError", code: schemas.CodeUntrustedProgram},
	{id: "X05 memfd by path", spec: strict, script: `python3 -c 'import os; f=os.memfd_create("git",0); os.write(f, open("/usr/bin/git","rb").read()); os.execv("/proc/self/fd/%d"%f, ["git"])'`, status: 1, out: "PermissionError", code: schemas.CodeUntrustedProgram},
	{id: "X05 removed file", spec: busy, script: `cp /bin/echo WORK/e; python3 -c 'import os; f=os.open("WORK/e",os.O_RDONLY); os.unlink("WORK/e"); os.execve(f, ["e","ran"], {})'`, status: 1, out: "PermissionError", code: schemas.CodeUntrustedProgram},
	{id: "X06 copy", spec: strict, script: `python3 -c 'import shutil,os; shutil.copy("/bin/rm","WORK/git"); os.execv("WORK/git",["git"])'`, status: 1, out: "PermissionError", code: schemas.CodeUntrustedProgram},
	{id: "X06 copy of what is blocked", spec: busy, script: "cp /bin/rm WORK/harmless; WORK/harmless -rf /", status: 126, code: schemas.CodeBlockedCommand},
	{id: "X06 copy that is longer", spec: busy, script: `cp /bin/rm WORK/harmless; echo more >> WORK/harmless; exec python3 -c 'import os; os.execv("WORK/harmless", ["harmless","-fr","/"])'`, status: 1, out: "PermissionError", code: schemas.CodeBlockedCommand},
	{id: "X06 copies in a pipeline", spec: busy, script: "cp /usr/bin/curl WORK/a; cp /bin/bash WORK/b; WORK/a -s file:///etc/hostname | WORK/b; echo ended", out: "ended", code: schemas.CodeBlockedCommand},
	{id: "X06 copy that does what is not blocked", spec: busy, script: "cp /bin/rm WORK/harmless; echo x > WORK/f; WORK/harmless WORK/f && echo removed", out: "removed"},
	{id: "X06 program of one's own", spec: busy, script: `printf 'int main(){return 0;}' > WORK/m.c && TMP=WORK gcc -o WORK/own WORK/m.c && WORK/own && echo ran`, out: "ran"},
	{id: "X09 loader as a command", spec: busy, script: "/lib64/ld-linux-x86-64.so.2 /bin/echo ran", status: 126, not: "ran\n", code: schemas.CodeUntrustedProgram},
	{id: "X11 many at once", spec: busy, script: `python3 -c '
import subprocess,threading
def f():
    for i in range(30): subprocess.run(["/bin/true"],check=True)
t=[threading.Thread(target=f) for i in range(8)]
[x.start() for x in t]; [x.join() for x in t]; print("all ran")'`, out: "all ran"},
	{id: "X12 from another thread", spec: busy, script: `python3 -c '
import os,threading,time
threading.Thread(target=lambda: os.execv("/bin/echo",["echo","from a thread"])).start(); time.sleep(5)'`, out: "from a thread"},
	{id: "failed execution", spec: busy, script: "WORK/nothing-here; echo $?", out: "127"},
}

func TestRows(t *testing.T) {
	seen := 0
	for _, m := range modes() {
		for _, r := range append(append(append([]row{}, fileRows...), bypassRows...), commandRows...) {
			seen++
			t.Run(r.id+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				w := furnished(t, m, r.spec)
				got := w.sh(r.script)
				got.expect(t, r.status, r.out)
				if r.not != "" && strings.Contains(got.out, r.not) {
					t.Errorf("%q is in the output:\n%s", r.not, got.out)
				}
				w.expectDenial(r.code)
			})
		}
	}
	if seen < 60 {
		t.Errorf("saw %d rows; there are more", seen)
	}
}

// expectDenial wants a record of the denial, and none where nothing was denied.
func (w *world) expectDenial(code schemas.Code) {
	w.t.Helper()
	if code == "" {
		return
	}
	var codes []schemas.Code
	for _, r := range w.denials() {
		if r.Custom.Code == code {
			return
		}
		codes = append(codes, r.Custom.Code)
	}
	w.t.Errorf("no record of %s; denials: %v", code, codes)
}

// furnished is a world with what the rows look for.
func furnished(t testing.TB, m mode, spec string) *world {
	w := newWorld(t, m, spec)
	w.file("a.txt", "hello\n", 0o644)
	w.file(".env", "SECRET=1\n", 0o600)
	w.file(".env.example", "example\n", 0o644)
	w.file("credentials.json", "SECRET\n", 0o600)
	w.file("credentials/aws/k", "SECRET\n", 0o600)
	w.file("secret/key", "SECRET\n", 0o600)
	w.file("sub/x", "", 0o600)
	w.file("tree/.env", "SECRETe\n", 0o600)
	w.file("tree/ok", "fine\n", 0o600)
	planted, err := os.ReadFile("/bin/echo")
	if err != nil {
		t.Fatal(err)
	}
	w.file("bin/git", string(planted), 0o755)
	w.file("bin/ɡit", "#!/bin/sh\necho planted\n", 0o755)
	w.file("evil", "#!"+w.work+"/bin/git\n", 0o755)
	w.file("tool.py", "#!/usr/bin/python3\nprint('from a tool')\n", 0o755)
	w.file("sh.py", "#!/bin/bash\nprint('from python')\n", 0o755)
	w.file("text", "git --version\n", 0o755)
	if err := os.Link(filepath.Join(w.work, ".env"), filepath.Join(w.work, "alias")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/bin/rm", filepath.Join(w.work, "rmlink")); err != nil {
		t.Fatal(err)
	}
	w.repository()
	return w
}
