package gateway

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// rates holds one limiter for each sandbox.
type rates struct {
	perMinute int
	limiters  *lru.Cache[string, *rate.Limiter]
}

func newRates(perMinute int) *rates {
	c, err := lru.New[string, *rate.Limiter](4096)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return &rates{perMinute: perMinute, limiters: c}
}

// allow takes one of the sandbox's turns.
func (r *rates) allow(sandbox string) bool {
	l := rate.NewLimiter(rate.Every(time.Minute/time.Duration(max(1, r.perMinute))), max(1, r.perMinute))
	if before, ok, _ := r.limiters.PeekOrAdd(sandbox, l); ok {
		l = before
	}
	return l.Allow()
}
