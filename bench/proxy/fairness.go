package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// loadNice is the nice value of processes that load: in the field they have
// processors of their own, and must not take the gateway's here.
const loadNice = 10

// playLoad asks without pause, with many connections, and prints how often it was
// answered each time a line comes. Arguments: proxy's URL, roots, origin,
// connections.
func playLoad(args []string) error {
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, loadNice); err != nil {
		return err
	}
	proxy, err := url.Parse(args[0])
	if err != nil {
		return err
	}
	roots, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	var answered atomic.Int64
	w, p := &world{origin: args[2]}, peer{proxy: proxy, roots: roots}
	for range n {
		c := newClient(w, p, scenario{size: 1 << 10}, poolOf(roots))
		if err := c.do(context.Background()); err != nil {
			return err
		}
		go func() {
			for c.do(context.Background()) == nil {
				answered.Add(1)
			}
		}()
	}
	fmt.Println("loading")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(answered.Load())
	}
	return nil
}

// loader is a process that loads.
type loader struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (w *world) load(ctx context.Context, proxy *url.URL, conns int) (*loader, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := &loader{cmd: exec.CommandContext(ctx, self, proxy.String(), w.file("ca.crt"), w.origin, strconv.Itoa(conns))}
	l.cmd.Env, l.cmd.Stderr = append(os.Environ(), roleVariable+"=load"), os.Stderr
	if l.in, err = l.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.out = bufio.NewReader(out)
	if err := w.launch(l.cmd); err != nil {
		return nil, err
	}
	_, err = l.out.ReadString('\n')
	return l, err
}

func (l *loader) count() (int, error) {
	if _, err := fmt.Fprintln(l.in); err != nil {
		return 0, err
	}
	line, err := l.out.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(line))
}

func (l *loader) stop() {
	_ = l.in.Close()
	_ = syscall.Kill(-l.cmd.Process.Pid, syscall.SIGKILL)
}

// fairness prints what one sandbox at saturation leaves to another.
func fairness(ctx context.Context, w *world, o options) error {
	p, err := w.ours("bounded")(ctx)
	if err != nil {
		return err
	}
	modest := p
	modest.proxy = w.second
	rounds := make([][3]float64, 0, o.rounds)
	for range o.rounds {
		r, err := fairnessRound(ctx, w, p, modest)
		if err != nil {
			return err
		}
		rounds = append(rounds, r)
		fmt.Printf("p99 alone %.0f µs, beside 128 busy connections of another sandbox %.0f µs: %.1f times; share when both are busy %.0f %%\n", r[0], r[1], r[1]/r[0], r[2])
	}
	slices.SortFunc(rounds, func(a, b [3]float64) int { return int(a[1]/a[0]*1000) - int(b[1]/b[0]*1000) })
	mid := rounds[len(rounds)/2]
	fmt.Printf("median: %.1f times\n", mid[1]/mid[0])
	return nil
}

func fairnessRound(ctx context.Context, w *world, greedy, modest peer) (r [3]float64, err error) {
	s := scenario{clients: 1, size: 1 << 10}
	alone, err := measure(ctx, w, modest, s, 2*time.Second)
	if err != nil {
		return r, err
	}
	first, err := w.load(ctx, greedy.proxy, 128)
	if err != nil {
		return r, err
	}
	defer first.stop()
	busy, err := measure(ctx, w, modest, s, 2*time.Second)
	if err != nil {
		return r, err
	}
	second, err := w.load(ctx, modest.proxy, 16)
	if err != nil {
		return r, err
	}
	defer second.stop()
	var before, after [2]int
	for i, l := range []*loader{first, second} {
		if before[i], err = l.count(); err != nil {
			return r, err
		}
	}
	time.Sleep(2 * time.Second)
	for i, l := range []*loader{first, second} {
		if after[i], err = l.count(); err != nil {
			return r, err
		}
	}
	theirs, mine := float64(after[0]-before[0]), float64(after[1]-before[1])
	return [3]float64{float64(alone.p99.Microseconds()), float64(busy.p99.Microseconds()), 100 * mine / (mine + theirs)}, nil
}
