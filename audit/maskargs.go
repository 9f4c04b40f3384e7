package audit

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// secretOptions are the options of programs that take a secret and do not say so
// in their name. What names itself (--password, --token) is known for every
// program. A value is the next argument or glued on: -pVALUE, --option=VALUE.
var secretOptions = map[string][]string{
	"curl":      {"-u", "--user", "-U", "--proxy-user", "--oauth2-bearer", "-b", "--cookie", "--pass", "--proxy-pass"},
	"wget":      {"--user", "--http-user", "--proxy-user"},
	"http":      {"-a", "--auth"},
	"mysql":     {"-p"},
	"mysqldump": {"-p"}, "mysqladmin": {"-p"}, "mariadb": {"-p"}, "mariadb-dump": {"-p"},
	"mongo": {"-p"}, "mongosh": {"-p"}, "mongodump": {"-p"}, "sqlcmd": {"-P"}, "bcp": {"-P"},
	"redis-cli": {"-a", "--pass"}, "sshpass": {"-p"}, "docker": {"-p"}, "podman": {"-p"}, "helm": {"-p"}, "nerdctl": {"-p"},
	"ldapsearch": {"-w"}, "ldapmodify": {"-w"}, "ldapadd": {"-w"}, "smbclient": {"-U"}, "7z": {"-p"}, "7za": {"-p"},
	"zip": {"-P"}, "unzip": {"-P"}, "openssl": {"-k", "-K", "-pass", "-passin", "-passout"}, "gpg": {"--passphrase"},
	"htpasswd": {"-b"}, "vault": {"-token"}, "az": {"-p"}, "snowsql": {"-p"}, "influx": {"-t"},
}

// gluedOptions take a value only glued on: "mysql -p" asks for it.
var gluedOptions = map[string]bool{"mysql": true, "mysqldump": true, "mysqladmin": true, "mariadb": true, "mariadb-dump": true, "7z": true, "7za": true}

// loginOnly are programs whose option is a secret under one sub-command only:
// docker run -p is a port.
var loginOnly = map[string]bool{"docker": true, "podman": true, "nerdctl": true, "az": true}

func (m *masker) exec(in *schemas.ExecInput) *schemas.ExecInput {
	if in == nil {
		return nil
	}
	e, before := *in, len(m.seen)
	e.Commands = slices.Clone(in.Commands)
	for i := range e.Commands {
		e.Commands[i].Args = m.arguments(&in.Commands[i])
	}
	for i := range e.Commands { // a carrier's argument holds those of what it starts
		m.command(&e.Commands[i], &in.Commands[i], "/input/exec/commands/"+strconv.Itoa(i))
	}
	e.Parent = m.derived("/input/exec/parent", in.Parent)
	e.EnvDenied = m.list("/input/exec/env_denied", in.EnvDenied, m.derived)
	if len(m.seen) == before {
		return in
	}
	return &e
}

// command masks the text of every field, and makes what is derived from the
// arguments again where they changed.
func (m *masker) command(c, was *schemas.Command, at string) {
	c.Program = m.derived(at+"/program", c.Program)
	c.Argv0 = m.derived(at+"/argv0", c.Argv0)
	c.Path = m.derived(at+"/path", c.Path)
	c.Cwd = m.derived(at+"/cwd", c.Cwd)
	c.Links = m.list(at+"/links", c.Links, m.derived)
	c.Names = m.list(at+"/names", c.Names, m.derived)
	c.Named = m.derived(at+"/named", c.Named)
	c.Looked = m.derived(at+"/looked", c.Looked)
	c.Second = m.derived(at+"/second", c.Second)
	c.Args = m.list(at+"/args", c.Args, m.derived)
	for i := range c.Args {
		if c.Args[i] != was.Args[i] {
			m.note(at + "/args/" + strconv.Itoa(i))
		}
	}
	if !slices.Equal(c.Args, was.Args) {
		setArguments(c)
		m.note(at + "/options")
		m.note(at + "/operands")
		m.note(at + "/line")
	}
}

// setArguments makes again what is derived from the arguments.
func setArguments(c *schemas.Command) {
	program := c.Named
	if program == "" {
		program = c.Program
	}
	c.Sub, c.Options, c.Operand = canon.Normalise(program, c.Args, c.Cwd)
	c.Line = ""
	for _, arg := range c.Args {
		c.Line += arg + "\x00"
	}
}

// arguments masks the values of options that are secrets.
func (m *masker) arguments(c *schemas.Command) []string {
	options := optionsOf(c)
	glued := gluedOptions[c.Named]
	out := slices.Clone(c.Args)
	for i, arg := range c.Args {
		m.lostWords(arg, MaskText(arg))
		switch {
		case i > 0 && !glued && slices.Contains(options, c.Args[i-1]), i > 0 && namesSecret(c.Args[i-1]) && !strings.HasPrefix(arg, "-"):
			out[i] = m.hide("", arg)
		default:
			out[i] = m.attached(options, arg)
		}
	}
	return out
}

// lostWords drops the words that masking took out of a text: they may stand in
// another command, because a shell text was taken apart.
func (m *masker) lostWords(before, after string) {
	if before == after {
		return
	}
	for word := range strings.FieldsFuncSeq(before, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"';|&()<>", r) }) {
		if len(word) >= 8 && !strings.Contains(after, word) {
			m.drop(word)
		}
	}
}

func optionsOf(c *schemas.Command) []string {
	name := c.Named
	if name == "" {
		name = path.Base(c.Path)
	}
	if loginOnly[name] && c.Sub != "login" && !slices.Contains(c.Args, "login") {
		return nil
	}
	return secretOptions[name]
}

// attached masks a value that is glued to its option.
func (m *masker) attached(options []string, arg string) string {
	for _, o := range options {
		value, ok := strings.CutPrefix(arg, o)
		switch {
		case !ok || value == "":
		case value[0] == '=':
			return m.hide(o+"=", value[1:])
		case len(o) == 2:
			return m.hide(o, value)
		}
	}
	user, host, ok := strings.Cut(arg, "@") // user:password@host
	if ok && !strings.ContainsAny(user, "/ ") && strings.Contains(user, ":") && host != "" {
		return m.hide("", user) + "@" + host
	}
	return arg
}

func (m *masker) hide(before, value string) string {
	if value == "" || value == Masked {
		return before + value
	}
	m.drop(value)
	return before + Masked
}

// namesSecret tells whether an option says that its value is a secret:
// --password, --api-key, -token; not --password-stdin, --token-file.
func namesSecret(option string) bool {
	name := strings.TrimLeft(option, "-")
	if name == option || len(name) < 3 || strings.Contains(name, "=") {
		return false
	}
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	for _, end := range []string{"password", "passwd", "pass", "pwd", "passphrase", "secret", "token", "api-key", "apikey", "access-key", "secret-key", "private-key", "credentials", "auth-key", "authkey", "key-value", "bearer", "auth"} {
		if name == end || strings.HasSuffix(name, "-"+end) {
			return true
		}
	}
	return false
}
