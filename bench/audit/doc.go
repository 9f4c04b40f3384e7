// Package audit measures the decision log beside what it is compared with: one
// sync for each record. Ratios are of rounds that alternate within one run.
package audit
