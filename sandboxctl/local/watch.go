//go:build linux

package local

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/sandboxctl/shim/bare"
	"github.com/openshell-policy/openshell/sandboxctl/shim/floor"
)

// watchEvery is how often a supervisor looks whether its sandbox is idle.
const watchEvery = time.Second

// watch stops the sandbox when its time is over.
func (s *Sandbox) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	cpu := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ns.Down():
			s.Stop("failed")
			return
		case now := <-tick.C:
			if used := s.Usage().CPU; used-cpu > watchEvery/100 { // more than 1 % of a core is work
				s.bridge.touch()
				cpu = used
			}
			if s.over(now) {
				s.Stop("timedout")
				return
			}
		}
	}
}

func (s *Sandbox) over(now time.Time) bool {
	if s.opts.Lifetime > 0 && now.Sub(s.begun) > s.opts.Lifetime {
		return true
	}
	return s.opts.Idle > 0 && now.Sub(time.Unix(0, s.bridge.active.Load())) > s.opts.Idle
}

// DegradedError says that this machine cannot enforce what the policy says.
type DegradedError struct {
	Level   string
	Missing []string
}

// Error names what is missing.
func (e *DegradedError) Error() string {
	return fmt.Sprintf("this machine enforces policies only at level %s, which is too little for this one: %s", e.Level, strings.Join(e.Missing, "; "))
}

// enough refuses to start what cannot be enforced.
func (s *Sandbox) enough(config shim.Config, plan floor.Plan, found bare.Finding) error {
	if s.opts.AllowDegraded || config.Level == shim.Full || config.Level == shim.Pod {
		return nil
	}
	missing := append(found.Lacks, plan.Trapped...)
	if more := len(missing) - 3; more > 0 {
		missing = append(missing[:3], fmt.Sprintf("and %d more", more))
	}
	return &DegradedError{Level: string(config.Level), Missing: missing}
}
