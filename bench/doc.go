// Package bench measures what goes through several packages: from the text of a
// policy to decisions. Benchmarks of one package are beside it; bench/report
// runs all of them and prints the figures that the project has set itself.
package bench
