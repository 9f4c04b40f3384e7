// Package suggest finds the least to add to a policy so that what logs show to be
// denied, or to pass only by mode audit, is allowed; and the rules that nothing in
// logs used.
//
// What is suggested is what was seen: the methods, paths, files and commands of the
// log, each by itself, unless so many different values were seen in one place that
// a pattern may stand for them. What a person must decide is refused with a reason,
// never suggested.
package suggest
