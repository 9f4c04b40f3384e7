// Package format prints policies and tests in one form, as gofmt does: fields in
// the order of the schema, two spaces a level, patterns in double quotes and words
// without, comments and single blank lines kept, lists and mappings on one line
// where they stand so and fit.
//
// A file is not formatted unless it can be shown that it then means the same: both
// texts are read, the documents must be equal and the comments the same ones.
package format
