package analysis_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/analysis/replay"
	"github.com/openshell-policy/openshell/internal/analysis/suggest"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// traffic writes a log of n requests under github-readonly, of which different
// ones are distinct, a third of them denied, and returns who decides it now.
func traffic(b *testing.B, n, different int) (log string, target replay.Target, p *plan.Policy) {
	b.Helper()
	source, _ := policyset.ReadyMade("github-readonly")
	r := policyset.Compile([]compiler.Source{source}, compiler.Options{})
	g, err := rego.New(rego.Options{CacheSize: -1}).Load(r.Bundle)
	if err != nil {
		b.Fatal(err)
	}
	var lines [][]byte
	for i := range different {
		method := []string{"GET", "GET", "POST"}[i%3]
		q := analysis.Question{Policy: "github-readonly", Request: &schemas.TestRequest{Method: method, URL: fmt.Sprintf("https://api.github.com/repos/o%d/r/issues/%d", i%100, i)}}
		a, err := analysis.Ask(b.Context(), g, q)
		if err != nil {
			b.Fatal(err)
		}
		line, err := json.Marshal(&schemas.Record{
			DecisionID: fmt.Sprint(i), Path: "openshell/decision", Input: &a.Inputs[0], Result: &a.Decision, Timestamp: time.Unix(1_800_000_000, 0).UTC(),
			Custom: schemas.Custom{Type: schemas.RecordDecision, Sandbox: "sb-a1b2c3", Policy: "github-readonly", Rule: a.Decision.Rule, Code: a.Decision.Code, Mode: a.Decision.Mode},
		})
		if err != nil {
			b.Fatal(err)
		}
		lines = append(lines, append(line, '\n'))
	}
	log = filepath.Join(b.TempDir(), "log.ndjson")
	f, err := os.Create(log)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range n {
		_, _ = w.Write(lines[i%different]) // Flush says it
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return log, func(policy string) (replay.Evaluator, string, bool, error) {
		return g, policy, policy == "github-readonly", nil
	}, r.Policies[0]
}

// rate reports records by second of processor time.
func rate(b *testing.B, records int, do func()) {
	before := cpu()
	for b.Loop() {
		do()
	}
	used := cpu() - before
	b.ReportMetric(float64(records)*float64(b.N)/used.Seconds(), "records/cpu-s")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB")
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReplay replays 200,000 records, all different or as traffic is.
func BenchmarkReplay(b *testing.B) {
	const n = 200_000
	for _, different := range []int{2_000, n} {
		b.Run(fmt.Sprintf("different=%d", different), func(b *testing.B) {
			log, target, _ := traffic(b, n, different)
			rate(b, n, func() {
				r, err := replay.Events(b.Context(), query.Events([]string{log}, query.Filter{}), target)
				if err != nil || r.Unchanged != n {
					b.Fatalf("%+v, %v", r, err)
				}
			})
		})
	}
}

// BenchmarkSuggest suggests from a million records.
func BenchmarkSuggest(b *testing.B) {
	const n = 1_000_000
	log, target, p := traffic(b, n, 20_000)
	rate(b, n, func() {
		s, err := suggest.From(b.Context(), query.Events([]string{log}, query.Filter{}), target, p, suggest.Options{Generalise: 5})
		if err != nil || s.Empty() {
			b.Fatalf("%+v, %v", s, err)
		}
	})
}
