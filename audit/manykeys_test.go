package audit_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// A sandbox chooses how many keys its query has, and its requests wait for the
// record.
func TestMaskingManyKeysIsQuick(t *testing.T) {
	query := map[string][]string{}
	for i := range 8000 {
		query["k"+strconv.Itoa(i)] = []string{"v"}
	}
	r := &schemas.Record{Input: &schemas.DecisionInput{Network: &schemas.NetworkInput{Query: query}}}
	start := time.Now()
	audit.Mask(r)
	if took := time.Since(start); took > 200*time.Millisecond {
		t.Errorf("took %v", took)
	}
	if len(r.Masked) != 8000 {
		t.Errorf("%d pointers", len(r.Masked))
	}
}
