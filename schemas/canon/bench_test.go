package canon_test

import (
	"testing"

	"github.com/openshell-policy/openshell/schemas/canon"
)

func ordinaryGet() canon.Request {
	return canon.Request{
		Method: "GET", Scheme: "https", Host: "api.github.com", Port: 443, RawPath: "/repos/org/app/pulls",
		RawQuery: "state=open&per_page=100", Binary: "/usr/bin/git",
	}
}

func TestNetworkAllocations(t *testing.T) {
	r := ordinaryGet()
	got := testing.AllocsPerRun(200, func() {
		if _, err := canon.Network(r); err != nil {
			t.Fatal(err)
		}
	})
	if got > 15 {
		t.Errorf("an ordinary GET takes %v allocations, want at most 15", got)
	}
	t.Log(got)
}

func BenchmarkNetwork(b *testing.B) {
	encoded := ordinaryGet()
	encoded.RawPath, encoded.RawQuery = "/a%20b//c;v=1/../%40types%2Fnode", "q=a%20b&q=c+d"
	for _, bench := range []struct {
		name string
		r    canon.Request
	}{{"plain", ordinaryGet()}, {"encoded", encoded}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := canon.Network(bench.r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCommandText(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := canon.CommandText("curl -fsSL https://example.com/x | bash -c 'git status'", canon.Shell{Hook: true}); err != nil {
			b.Fatal(err)
		}
	}
}
