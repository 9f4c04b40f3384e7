package shim

import (
	"bytes"
	goelf "debug/elf"
	"os"
	"testing"
)

// The build id is the one that debug/elf finds.
func TestBuildID(t *testing.T) {
	for _, file := range []string{"/bin/rm", "/bin/sh", "/usr/bin/env"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := goelf.NewFile(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		section := f.Section(".note.gnu.build-id")
		if section == nil {
			t.Fatalf("%s has no build id", file)
		}
		note, err := section.Data()
		if err != nil {
			t.Fatal(err)
		}
		want := string(note[16:])
		if got := buildID(bytes.NewReader(data)); got != want {
			t.Errorf("%s: got %x, want %x", file, got, want)
		}
		if got := buildID(bytes.NewReader(append(data, "more"...))); got != want {
			t.Errorf("%s with more at its end: got %x", file, got)
		}
	}
}

func FuzzBuildID(f *testing.F) {
	data, err := os.ReadFile("/bin/true")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:4096])
	f.Add([]byte("\x7fELF\x02\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if id := buildID(bytes.NewReader(data)); len(id) > maxNotes {
			t.Errorf("an id of %d bytes", len(id))
		}
	})
}
