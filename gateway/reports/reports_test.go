package reports_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway/reports"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

const line = `{"labels":{"level":"full"},"decision_id":"4a7b1c2d-0000-4000-8000-000000000001","path":"openshell/decision","timestamp":"2026-11-25T10:00:00Z",` +
	`"input":{"kind":"file","policy":"x","sandbox":{"id":"sb-other0"},"file":{"op":"read","path":"/a","lexical":"/a","known_blocked":false}},` +
	`"result":{"allow":false,"mode":"enforce","code":"not_readable","message":"m","rule":"default","policy":"x","revision":"r"},` +
	`"custom":{"type":"decision","sandbox":"sb-other0","policy":"x","seq":0}}`

func box(now time.Time) adminapi.Sandbox {
	return adminapi.Sandbox{ID: "sb-mine00", Agent: "claude", Policy: "mine", Created: now.Add(-time.Hour)}
}

func TestParseBounds(t *testing.T) {
	now := time.Now()
	if got, err := reports.Parse([]byte(strings.Repeat(line+"\n", reports.MaxRecords)), box(now), now); err != nil || len(got) != reports.MaxRecords {
		t.Errorf("%d records, %v", len(got), err)
	}
	if _, err := reports.Parse([]byte(strings.Repeat(line+"\n", reports.MaxRecords+1)), box(now), now); err == nil || !strings.Contains(err.Error(), "line 4097") {
		t.Errorf("one more: %v", err)
	}
	deep := strings.Replace(line, `"labels":{"level":"full"}`, `"labels":`+strings.Repeat(`{"a":`, 50_000)+"1"+strings.Repeat("}", 50_000), 1)
	if _, err := reports.Parse([]byte(deep), box(now), now); err == nil {
		t.Error("a record of great depth was taken")
	}
}

// FuzzParse holds whatever is taken to the identity of the connection.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		line, line + "\n" + line, "", "\n", "{}", "[]", "null", strings.Replace(line, `"file"`, `"exec"`, 1),
		strings.Replace(line, `"custom":`, `"CUSTOM":{"admin":{"action":"x"}},"custom":`, 1),
		strings.Replace(line, `"seq":0`, `"seq":7,"pruned":{"through":9}`, 1), strings.Replace(line, "/a", "\xff\x00", 1),
	} {
		f.Add([]byte(seed))
	}
	now := time.Now()
	mine := box(now)
	f.Fuzz(func(t *testing.T, body []byte) {
		records, err := reports.Parse(body, mine, now)
		if (err == nil) != (len(records) > 0) {
			t.Fatalf("%d records, %v", len(records), err)
		}
		for _, r := range records {
			c := r.Custom
			if c.Sandbox != mine.ID || c.Policy != mine.Policy || c.Agent != mine.Agent || r.Input.Sandbox.ID != mine.ID || r.Input.Policy != mine.Policy || r.Result.Policy != mine.Policy {
				t.Fatalf("another's: %+v", r)
			}
			if c.Admin != nil || c.Pruned != nil || c.Recovered != nil || c.Outcome != nil || c.Seq != 0 || r.Labels[reports.Label] != "shim" || r.Input.Network != nil {
				t.Fatalf("more than a decision: %+v", r)
			}
			if r.Result.Allow != (r.Result.Code == schemas.CodeAllowed) || r.Timestamp.After(now) || r.Timestamp.Before(mine.Created) {
				t.Fatalf("result %+v, time %s", r.Result, r.Timestamp)
			}
			if _, err := json.Marshal(r); err != nil {
				t.Fatal(err)
			}
		}
	})
}
