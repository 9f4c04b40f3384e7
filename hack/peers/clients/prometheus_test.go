package clients_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
	"go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// shown are the expressions that users are told to type.
func shown() []string {
	return []string{
		"openshell_sandboxes_active",
		"rate(openshell_policy_violations_total[5m])",
		"rate(openshell_agent_actions_total[1m])",
		"topk(10, sum by (host) (rate(openshell_proxy_requests_total[5m])))",
		"openshell_sandbox_cpu_usage_cores",
		"openshell_sandbox_memory_usage_bytes",
	}
}

// prometheus is a storage with the engine over it.
type prometheus struct {
	db     *tsdb.DB
	engine *promql.Engine
	names  map[string]bool // of metrics that were scraped
}

func newPrometheus(t *testing.T) *prometheus {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), tsdb.NewDBStats())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &prometheus{db: db, names: map[string]bool{}, engine: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e6, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{}),
	})}
}

// scrape reads a gateway's metrics as Prometheus does, dated.
func (p *prometheus) scrape(t *testing.T, w *world, at time.Time) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.g.AdminAddr()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.g.AdminToken())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	tp, err := textparse.New(text, resp.Header.Get("Content-Type"), nil, textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	app := p.db.Appender(t.Context())
	for {
		entry, err := tp.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, value := tp.Series()
		var l labels.Labels
		tp.Labels(&l)
		p.names[l.Get(model.MetricNameLabel)] = true
		if _, err := app.Append(0, l, at.UnixMilli(), value); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

func (p *prometheus) eval(t *testing.T, expr string, at time.Time) promql.Vector {
	t.Helper()
	q, err := p.engine.NewInstantQuery(t.Context(), p.db, nil, expr, at)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	defer q.Close()
	v, err := q.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return slices.Clone(v)
}

// scraped is Prometheus after it saw a gateway before and after a first burst.
func scraped(t *testing.T) (*prometheus, time.Time) {
	t.Helper()
	cert, roots := certificate(t)
	port := origin(t, cert, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w := newWorld(t, roots, fmt.Sprintf(`{host: page.test, ports: [%d], methods: [GET]}`, port))
	p, begin := newPrometheus(t), time.Now()
	p.scrape(t, w, begin)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(w.proxy()), TLSClientConfig: w.trust()}}
	for _, host := range []string{"page.test", "other.test"} {
		for range 5 {
			resp, err := client.Get(fmt.Sprintf("https://%s:%d/", host, port))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	client.CloseIdleConnections()
	admin := adminapi.NewClient(w.g.AdminAddr(), w.g.AdminToken())
	if _, err := admin.Report(t.Context(), w.box.ID, adminapi.Usage{CPUCores: 0.5, MemoryBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	end := begin.Add(30 * time.Second)
	p.scrape(t, w, end)
	return p, end
}

func TestShownExpressions(t *testing.T) {
	p, at := scraped(t)
	values := map[string]float64{}
	for _, expr := range shown() {
		v := p.eval(t, expr, at)
		if len(v) == 0 {
			t.Errorf("%s: nothing", expr)
		}
		for _, s := range v {
			values[expr] = max(values[expr], s.F)
		}
	}
	for _, expr := range shown() {
		if values[expr] <= 0 {
			t.Errorf("%s: %v; the first burst is not seen", expr, values[expr])
		}
	}
	if len(values) != 6 {
		t.Errorf("%d expressions", len(values))
	}
}

// Every expression that we ship parses, evaluates, and names only metrics that a
// gateway shows.
func TestShippedExpressions(t *testing.T) {
	p, at := scraped(t)
	exprs := append(rules(t), panels(t)...)
	if len(exprs) < 20 {
		t.Fatalf("only %d expressions were found", len(exprs))
	}
	name := regexp.MustCompile(`\b(openshell|go|process)_[a-z_]+`)
	for _, expr := range exprs {
		if _, err := parser.NewParser(parser.Options{}).ParseExpr(expr); err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		p.eval(t, expr, at)
		for _, n := range name.FindAllString(expr, -1) {
			if !p.names[n] && !strings.HasPrefix(n, "openshell_audit_sink_") && !strings.HasPrefix(n, "openshell_bundle_") {
				t.Errorf("%s: no gateway shows %s", expr, n)
			}
		}
	}
}

func rules(t *testing.T) (exprs []string) {
	t.Helper()
	text, err := os.ReadFile("../../../deploy/prometheus/openshell.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Groups []struct {
			Rules []struct{ Expr string }
		}
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for _, g := range doc.Groups {
		for _, r := range g.Rules {
			exprs = append(exprs, r.Expr)
		}
	}
	return exprs
}

// panels are the values of every key "expr" of the dashboard, at any depth.
func panels(t *testing.T) (exprs []string) {
	t.Helper()
	text, err := os.ReadFile("../../../deploy/grafana/openshell.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for key, e := range v {
				if s, ok := e.(string); ok && key == "expr" {
					s = strings.ReplaceAll(s, "$__rate_interval", "5m")
					exprs = append(exprs, strings.ReplaceAll(s, "$__range", "1h"))
				}
				walk(e)
			}
		}
	}
	walk(doc)
	return exprs
}
