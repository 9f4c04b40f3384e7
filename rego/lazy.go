package rego

import "sync"

// lazy is a part of a policy that is compiled when it is first needed. It outlives
// generations: who finds the same digest takes it over, compiled or not.
type lazy[T any] struct {
	digest digest
	once   sync.Once
	make   func() (*T, error)
	value  *T
	err    error

	mu   sync.Mutex
	done bool
}

func later[T any](d digest, make func() (*T, error)) *lazy[T] {
	return &lazy[T]{digest: d, make: make}
}

// get compiles the part, once.
func (l *lazy[T]) get() (*T, error) {
	l.once.Do(func() {
		l.value, l.err = l.make()
		l.make = nil // and the text that it held
		l.mu.Lock()
		l.done = true
		l.mu.Unlock()
	})
	return l.value, l.err
}

// used tells whether the part was needed already.
func (l *lazy[T]) used() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}
