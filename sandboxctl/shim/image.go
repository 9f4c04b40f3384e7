package shim

import (
	"bytes"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// imageKind is what the kernel makes of a file.
type imageKind int

const (
	unknownImage imageKind = iota
	elf
	script
)

// image is what will run: the file itself, or the interpreter of a script.
type image struct {
	kind   imageKind
	object object
	// Of a script: its interpreter, and the arguments that come before the
	// caller's own.
	asked string
	file  *place
	links []string
	head  []string
}

// headerSize is how much of a file the kernel looks at (BINPRM_BUF_SIZE).
const headerSize = 256

// maxScripts is how many scripts may be each other's interpreter.
const maxScripts = 4

// image looks at the file, and at the interpreters of scripts.
func (c *call) image(x *execution) (image, error) {
	im := image{object: objectOf(x.file)}
	at, name := x.file, x.given
	for range maxScripts {
		header, err := c.header(at)
		if err != nil {
			return im, err
		}
		if bytes.HasPrefix(header, []byte("\x7fELF")) {
			if im.kind != script {
				im.kind = elf
			}
			im.object = objectOf(at)
			return im, nil
		}
		interpreter, arg, ok := shebang(header)
		if !ok {
			if im.kind == script {
				return im, unix.ENOEXEC
			}
			return im, nil
		}
		head := []string{interpreter}
		if arg != "" {
			head = append(head, arg)
		}
		if im.kind == script {
			im.head = append(head, im.head...)
		} else {
			im.head = append(head, name)
		}
		im.kind, name = script, interpreter
		if im.asked, err = c.absolute(unix.AT_FDCWD, interpreter); err != nil {
			return im, err
		}
		im.close()
		if im.file, im.links, err = c.walkSeen(im.asked, true); err != nil {
			return im, err
		}
		im.asked = path.Clean(im.asked)
		if !im.file.exists() || im.file.kind() != unix.S_IFREG {
			return im, unix.ENOENT
		}
		at = im.file
	}
	return im, unix.ELOOP
}

func (im *image) close() {
	if im.file != nil {
		im.file.close()
	}
}

func objectOf(p *place) object { return object{uint64(p.stat.Dev), p.stat.Ino} }

// header reads the beginning of a file. One that cannot be read would make its
// process unreadable too, so it cannot be judged.
func (c *call) header(p *place) ([]byte, error) {
	fd, err := unix.Open(p.self(), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, unix.EACCES
	}
	defer unix.Close(fd)
	buf := make([]byte, headerSize)
	n, err := unix.Pread(fd, buf, 0)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

// shebang reads "#!" as the kernel does (fs/binfmt_script.c): the interpreter,
// and all that follows it on the line as one argument.
func shebang(header []byte) (interpreter, arg string, ok bool) {
	rest, ok := bytes.CutPrefix(header, []byte("#!"))
	if !ok {
		return "", "", false
	}
	line, _, whole := bytes.Cut(rest, []byte("\n"))
	if zero := bytes.IndexByte(line, 0); zero >= 0 {
		line, whole = line[:zero], true
	}
	text := strings.TrimLeft(string(line), " \t")
	interpreter, arg, cut := cutSpace(text)
	if interpreter == "" || !whole && !cut && len(header) == headerSize {
		return "", "", false // the name may be cut off
	}
	return interpreter, strings.Trim(arg, " \t"), true
}

func cutSpace(s string) (before, after string, ok bool) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i:], true
}

// argv is the argument list of the interpreter.
func (im *image) argv(x *execution) []string {
	return append(append([]string{}, im.head...), x.argv[1:]...)
}

// cmdline is what /proc/PID/cmdline holds after the execution.
func (im *image) cmdline(x *execution) string {
	argv := x.argv
	if im.kind == script {
		argv = im.argv(x)
	}
	return strings.Join(argv, "\x00") + "\x00"
}
