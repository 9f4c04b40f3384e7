// Package receive takes decision logs of others, shims and OPA servers, by OPA's
// decision-log protocol, and keeps each sender's records in a log of that sender:
// what a sender claims never stands beside what the gateway itself decided.
package receive
