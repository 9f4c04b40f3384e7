package shim

import (
	"strings"
	"testing"
)

// The first line is read as the kernel reads it.
func TestShebang(t *testing.T) {
	tests := []struct {
		name, header, interpreter, arg string
		ok                             bool
	}{
		{"plain", "#!/bin/sh\necho", "/bin/sh", "", true},
		{"one argument", "#! /usr/bin/env  python3 -u \n", "/usr/bin/env", "python3 -u", true},
		{"no line end", "#!/bin/sh", "/bin/sh", "", true},
		{"ends in a zero byte", "#!/bin/sh\x00junk", "/bin/sh", "", true},
		{"tab", "#!\t/bin/sh\t-e\n", "/bin/sh", "-e", true},
		{"no interpreter", "#!  \n", "", "", false},
		{"not a script", "\x7fELF", "", "", false},
		{"cut off", "#!/" + strings.Repeat("x", headerSize-3), "", "", false},
		{"argument cut off", "#!/bin/sh " + strings.Repeat("x", headerSize-10), "/bin/sh", strings.Repeat("x", headerSize-10), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			interpreter, arg, ok := shebang([]byte(test.header))
			if interpreter != test.interpreter || arg != test.arg || ok != test.ok {
				t.Errorf("got %q, %q, %t; want %q, %q, %t", interpreter, arg, ok, test.interpreter, test.arg, test.ok)
			}
		})
	}
}

func FuzzShebang(f *testing.F) {
	for _, s := range []string{"#!/bin/sh\n", "#! /usr/bin/env python3\n", "#!", "", "#!\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		interpreter, _, ok := shebang(header)
		if ok == (interpreter == "") {
			t.Errorf("%q: interpreter %q, %t", header, interpreter, ok)
		}
		if strings.ContainsAny(interpreter, " \t\n\x00") {
			t.Errorf("%q: interpreter %q", header, interpreter)
		}
	})
}
