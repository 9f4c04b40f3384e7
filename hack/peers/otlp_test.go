package peers_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/sink"
	"github.com/openshell-policy/openshell/schemas"
)

// collectorVariable makes TestCollector be a collector: "ADDRESS FILE".
const collectorVariable = "OPENSHELL_TEST_COLLECTOR"

// TestCollector is not a test: TestOTLPReceiver runs it as a process of its own,
// so that it can be killed. It is the OpenTelemetry collector's OTLP receiver, and
// appends the decision id of every log record to a file before it answers.
func TestCollector(t *testing.T) {
	setting := os.Getenv(collectorVariable)
	if setting == "" {
		return // TestOTLPReceiver runs it as another process
	}
	var address, path string
	if _, err := fmt.Sscan(setting, &address, &path); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	next, err := consumer.NewLogs(func(_ context.Context, l plog.Logs) error { return keep(f, l) })
	if err != nil {
		t.Fatal(err)
	}
	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	conf := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": address}}})
	if err := conf.Unmarshal(cfg); err != nil {
		t.Fatal(err)
	}
	r, err := factory.CreateLogs(context.Background(), receivertest.NewNopSettings(), cfg, next)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	select {} // until it is killed
}

func keep(f *os.File, l plog.Logs) error {
	var lines []byte
	for i := range l.ResourceLogs().Len() {
		scopes := l.ResourceLogs().At(i).ScopeLogs()
		for j := range scopes.Len() {
			records := scopes.At(j).LogRecords()
			for k := range records.Len() {
				rec := records.At(k)
				id, _ := rec.Attributes().Get("openshell.decision_id")
				kind, _ := rec.Attributes().Get("openshell.type")
				if kind.Str() == "decision" && rec.Body().Str() != "" {
					lines = fmt.Appendln(lines, id.Str())
				}
			}
		}
	}
	_, err := f.Write(lines)
	return err
}

// collector runs the receiver as a process.
func collector(t *testing.T, address, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestCollector$", "-test.timeout", "5m")
	cmd.Env = append(os.Environ(), collectorVariable+"="+address+" "+path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// TestOTLPReceiver: while decisions are recorded, the collector's receiver is
// killed and started again; in the end it has every record.
func TestOTLPReceiver(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, received := l.Addr().String(), filepath.Join(dir, "received")
	l.Close()
	log, err := audit.Open(filepath.Join(dir, "log"), audit.Options{Mode: audit.Bounded})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ctx, cancel := context.WithCancel(context.Background())
	set, err := sink.Start(ctx, filepath.Join(dir, "log"), filepath.Join(dir, "sinks"), []sink.Config{
		{Name: "otlp", Type: "otlp", URL: "http://" + address + "/v1/logs", MaxBytes: 4096},
	}, nil, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); set.Wait() }()
	const rounds, each = 5, 400
	for round := range rounds {
		cmd := collector(t, address, received)
		var filling sync.WaitGroup
		filling.Go(func() {
			for n := range each {
				if err := log.Append(ctx, decision(round*each+n)); err != nil {
					t.Error(err)
				}
			}
		})
		if round == rounds-1 {
			defer kill(cmd)
			filling.Wait()
			break
		}
		wait(t, "some of it", func() bool { return len(lines(t, received)) > round*each/2 })
		kill(cmd)
		filling.Wait()
	}
	wait(t, "all of it", func() bool { return len(lines(t, received)) == rounds*each })
	if s := set.Status()[0]; s.Rejected != 0 || s.Missed != 0 || s.Failures == 0 {
		t.Errorf("%+v", s)
	}
}

func decision(n int) *schemas.Record {
	return &schemas.Record{
		DecisionID: fmt.Sprintf("d-%d", n), Timestamp: time.Now(), Path: "openshell/decision",
		Result: &schemas.Decision{Code: schemas.CodeNotReadable, Policy: "p"},
		Input:  &schemas.DecisionInput{Kind: schemas.KindFile, Policy: "p", File: &schemas.FileInput{Op: schemas.OpRead, Path: "/x", Lexical: "/x"}},
		Custom: schemas.Custom{Type: schemas.RecordDecision, Sandbox: "sb-a1b2c3", Policy: "p", Code: schemas.CodeNotReadable},
	}
}

// lines are the distinct lines of a file.
func lines(t *testing.T, path string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return out
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		out[s.Text()] = true
	}
	return out
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
