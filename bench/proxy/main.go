// Proxy compares the gateway with other proxies, as processes of their own, side by
// side in one run:
//
//	go run ./bench/proxy [-rounds 3] [-for 400ms] [-only squid,ours] [-cases h2] [-svg docs]
//	go run ./bench/proxy -fairness
//
// Rounds of all are interleaved and medians are printed, each also as a ratio to
// the bare Go inspecting proxy. On a busy machine CPU a request is the figure to
// trust. Squid (squid-openssl), mitmproxy and tinyproxy are Debian's; one that is
// not installed is said to be missing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, role+":", err)
			os.Exit(1)
		}
		return
	}
	o := options{}
	flag.IntVar(&o.rounds, "rounds", 3, "how often each is measured; the median is printed")
	flag.DurationVar(&o.each, "for", 400*time.Millisecond, "how long each measurement lasts")
	flag.StringVar(&o.only, "only", "", "names or parts of names of proxies, with commas between; direct and bare are always there")
	flag.StringVar(&o.cases, "cases", "", "part of the names of cases to run")
	flag.BoolVar(&o.fairness, "fairness", false, "measure instead what one sandbox at saturation leaves to another")
	flag.StringVar(&o.svg, "svg", "", "folder to draw the results in")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

type options struct {
	rounds           int
	each             time.Duration
	only, cases, svg string
	fairness         bool
}

// scenario is one way of using a proxy.
type scenario struct {
	fresh   bool // a new connection for each request
	h2      bool
	clients int
	size    int
}

func (s scenario) String() string {
	words := []string{"keep-alive", "h1", fmt.Sprintf("%d clients", s.clients), "1 KiB"}
	if s.fresh {
		words[0] = "fresh"
	}
	if s.h2 {
		words[1] = "h2"
	}
	if s.size > 1<<10 {
		words[3] = "1 MiB"
	}
	return strings.Join(words, ", ")
}

func scenarios(part string) (all []scenario) {
	for _, h2 := range []bool{false, true} {
		for _, fresh := range []bool{false, true} {
			for _, clients := range []int{1, 32} {
				for _, size := range []int{1 << 10, 1 << 20} {
					s := scenario{fresh: fresh, h2: h2, clients: clients, size: size}
					if strings.Contains(s.String(), part) {
						all = append(all, s)
					}
				}
			}
		}
	}
	return all
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "bench-proxy")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := newWorld(ctx, dir)
	if err != nil {
		return err
	}
	defer w.stop()
	if o.fairness {
		return fairness(ctx, w, o)
	}
	peers := w.start(ctx, o.only)
	if len(peers) < 2 {
		return errors.New("nothing to compare with")
	}
	cases := scenarios(o.cases)
	results := make([]result, 0, len(cases))
	for _, s := range cases {
		fmt.Fprintln(os.Stderr, s)
		r := result{scenario: s, figures: map[string]figures{}}
		measured := map[string][]sample{}
		for range o.rounds {
			for _, p := range peers {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				m, err := measure(ctx, w, p, s, o.each)
				if err != nil {
					fmt.Fprintf(os.Stderr, "  %s: %v\n", p.name, err)
					continue
				}
				measured[p.name] = append(measured[p.name], m)
			}
		}
		for name, samples := range measured {
			r.figures[name] = summary(samples)
		}
		results = append(results, r)
	}
	report(os.Stdout, peers, results)
	if o.svg != "" {
		return draw(o.svg, peers, results)
	}
	return nil
}
