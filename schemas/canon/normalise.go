package canon

import (
	"path"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/schemas/tables"
)

// Normalise splits the arguments of a program, a name or a path, into what
// blocked patterns compare:
//
//   - sub: the sub-command, for programs in the table of sub-commands; it is not
//     among the operands.
//   - options: sorted, each once. For programs in the table of options in one
//     spelling: "-rfv" is -f, -r and -v; "--recursive", "--recurs" and "-R" are
//     -r; what takes a value is there without it and as "-o=value", however it
//     was written. Elsewhere as written: what begins with "-" before "--".
//   - operands: each once, in order, as written and made absolute by cwd and
//     cleaned.
//
// With cwd "" the arguments are those of a pattern: an operand has one form,
// cleaned if it is absolute, and words with glob characters are not taken apart.
func Normalise(program string, args []string, cwd string) (sub string, options, operands []string) {
	n := &normaliser{name: Family(base(program)), cwd: cwd, pattern: cwd == "", options: []string{}, operands: []string{}}
	n.run(args)
	slices.Sort(n.options)
	return n.sub, slices.Compact(n.options), n.operands
}

type normaliser struct {
	name     string // family of the program
	cwd      string // "" if not known
	pattern  bool   // the arguments are a pattern's
	sub      string
	options  []string
	operands []string
}

func (n *normaliser) run(args []string) {
	p := known()
	subs, hasSubs := p.subs[n.name]
	table := p.options[n.name]
	awaiting := hasSubs
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			n.rest(args[i+1:], subs, awaiting)
			return
		case len(arg) > 1 && arg[0] == '-':
			next := nextArg(args, i)
			if n.option(table, arg, next) || awaiting && slices.Contains(subs.Values, arg) && n.value(table, arg, next) {
				i++
			}
		case awaiting:
			awaiting = false
			n.setSub(subs, arg)
			if t := p.options[n.name+" "+n.sub]; t != nil {
				table = t
			}
		default:
			n.operand(arg)
		}
	}
}

// nextArg returns the argument after i, nil if there is none.
func nextArg(args []string, i int) *string {
	if i+1 < len(args) {
		return &args[i+1]
	}
	return nil
}

// rest takes what follows "--".
func (n *normaliser) rest(args []string, subs tables.Subcommand, awaiting bool) {
	for _, arg := range args {
		if awaiting {
			awaiting = false
			n.setSub(subs, arg)
			continue
		}
		n.operand(arg)
	}
}

func (n *normaliser) setSub(subs tables.Subcommand, arg string) {
	n.sub = arg
	if name, ok := subs.Aliases[arg]; ok {
		n.sub = name
	}
}

// value adds the value of an option that only the table of sub-commands knows.
func (n *normaliser) value(table *optionTable, arg string, next *string) bool {
	if table != nil || next == nil {
		return false
	}
	n.options = append(n.options, arg+"="+*next)
	return true
}

// option adds an option and tells whether it took the next argument.
func (n *normaliser) option(table *optionTable, arg string, next *string) bool {
	switch {
	case table == nil || n.pattern && strings.ContainsAny(arg, `*?[\`):
		n.options = append(n.options, arg)
		return false
	case strings.HasPrefix(arg, "--"):
		return n.long(table, arg[2:], next)
	}
	return n.cluster(table, arg[1:], next)
}

func (n *normaliser) long(table *optionTable, arg string, next *string) bool {
	name, value, given := strings.Cut(arg, "=")
	spelling := table.spell(name)
	if !given && table.values[spelling] && next != nil {
		n.add(spelling, *next)
		return true
	}
	if given {
		n.add(spelling, value)
		return false
	}
	n.options = append(n.options, spelling)
	return false
}

// cluster takes short options that are written together. Text that is not known
// ends it.
func (n *normaliser) cluster(table *optionTable, letters string, next *string) bool {
	for i, r := range letters {
		if r == '\\' {
			return false
		}
		spelling := table.short(string(r))
		rest := letters[i+len(string(r)):]
		switch {
		case !table.values[spelling] && !table.optional[spelling], table.optional[spelling] && rest == "":
			n.options = append(n.options, spelling)
			continue
		case rest != "":
			n.add(spelling, strings.TrimPrefix(rest, "="))
			return false
		case next != nil:
			n.add(spelling, *next)
			return true
		}
		n.options = append(n.options, spelling)
	}
	return false
}

func (n *normaliser) add(spelling, value string) {
	n.options = append(n.options, spelling, spelling+"="+value)
}

func (n *normaliser) operand(arg string) {
	abs := arg
	switch {
	case strings.HasPrefix(arg, "/"):
		abs = path.Clean(arg)
	case n.cwd != "" && !strings.Contains(arg, unknown):
		abs = path.Join(n.cwd, arg)
	}
	forms := []string{arg, abs}
	if n.pattern {
		forms = forms[1:]
	}
	for _, f := range forms {
		if !slices.Contains(n.operands, f) {
			n.operands = append(n.operands, f)
		}
	}
}

// optionTable is tables.ProgramOptions for looking up.
type optionTable struct {
	longs    map[string]string // name to spelling
	same     map[string]string
	values   map[string]bool // spellings that take a value
	optional map[string]bool
}

func newOptionTable(o tables.ProgramOptions) *optionTable {
	t := &optionTable{longs: map[string]string{}, same: o.Same, values: map[string]bool{}, optional: map[string]bool{}}
	for name, letter := range o.Long {
		t.longs[name] = "--" + name
		if letter != "" {
			t.longs[name] = t.short(letter)
		}
	}
	for _, v := range o.Values {
		t.values[v] = true
	}
	for _, v := range o.Optional {
		t.optional[v] = true
	}
	return t
}

func (t *optionTable) short(letter string) string {
	if l, ok := t.same[letter]; ok {
		letter = l
	}
	return "-" + letter
}

// spell returns the normal spelling of a long option, given whole or by an
// unambiguous beginning, as getopt_long takes it.
func (t *optionTable) spell(name string) string {
	if s, ok := t.longs[name]; ok {
		return s
	}
	found := ""
	for long, s := range t.longs {
		if !strings.HasPrefix(long, name) || s == found {
			continue
		}
		if found != "" {
			return "--" + name
		}
		found = s
	}
	if found == "" {
		return "--" + name
	}
	return found
}
