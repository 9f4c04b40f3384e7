// Package archtest holds no code: its tests keep the house rules that the
// compiler cannot, such as who may import whom. They read the source files in
// the test process, because go test would cache a test that asks the go command
// and repeat its answer after the files have changed.
package archtest
