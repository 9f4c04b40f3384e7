// Report runs the benchmarks of the module and prints the figures that the
// project has set itself, each with its goal. Nothing fails because of a figure.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// packages hold the benchmarks.
var packages = []string{"./rego", "./bench", "./gateway", "./bench/audit", "./bench/shim", "./schemas/canon"}

func main() {
	pattern := flag.String("bench", ".", "regular expression of the benchmarks")
	count := flag.Int("count", 1, "how often each is run; the median is printed")
	out := flag.String("out", "", "file that also gets the plain output, for benchstat")
	flag.Parse()
	if err := run(*pattern, *count, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(pattern string, count int, out string) error {
	plain := io.Discard
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			return err
		}
		defer f.Close()
		plain = f
	}
	results := map[string][]float64{}
	for _, p := range packages {
		args := []string{"test", "-vet=off", "-run", "^$", "-bench", pattern, "-benchmem", "-count", strconv.Itoa(count), p}
		fmt.Fprintln(os.Stderr, "go", strings.Join(args, " "))
		cmd := exec.Command("go", args...)
		cmd.Stderr = os.Stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		read(io.TeeReader(stdout, io.MultiWriter(os.Stderr, plain)), results)
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	if len(results) == 0 {
		return fmt.Errorf("no benchmark matches %q", pattern)
	}
	write(os.Stdout, results)
	return nil
}

// read gathers values by "Name/sub unit". A line is
//
//	BenchmarkName/sub-2   1000   1234 ns/op   56 B/op   7 allocs/op
func read(r io.Reader, results map[string][]float64) {
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				key := name + " " + fields[i+1]
				results[key] = append(results[key], v)
			}
		}
	}
	_, _ = io.Copy(io.Discard, r) // a line too long ends the scan, not the reading
}

func median(values []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2], true
}
