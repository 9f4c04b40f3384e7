// Package replay decides again what decision logs recorded, under the policies of
// today, and says what would come out differently.
//
// Nothing is guessed. A record whose input was masked or erased, one that the
// gateway decided by what it saw and no policy could (an address, a limit, an
// identity), and one that never had an input are counted as not replayable.
package replay
