// Package guard decides which addresses the gateway may dial. A name is resolved
// once, each address is checked when its socket is about to connect, and that
// address is dialled: no second look-up, so no DNS rebinding.
package guard

import (
	"net/netip"

	"github.com/openshell-policy/openshell/schemas/tables"
)

// Class says how far an address is from the public Internet.
type Class int

// The classes, from harmless to never.
const (
	Public   Class = iota
	Private        // dialled only where something consents to the address
	Loopback       // dialled only with the operator's flag
	Never
)

// String returns the word that messages use.
func (c Class) String() string {
	return [...]string{"public", "private", "loopback", "never allowed"}[c]
}

// classifier looks addresses up in the tables of package tables.
type classifier struct {
	never, private []netip.Prefix
}

func newClassifier() *classifier {
	c := &classifier{}
	for _, r := range tables.SpecialRanges() {
		if r.Class == tables.RangeNever {
			c.never = append(c.never, r.Prefix)
		} else {
			c.private = append(c.private, r.Prefix)
		}
	}
	for _, m := range tables.Metadata() {
		c.never = append(c.never, netip.PrefixFrom(m.Address, m.Address.BitLen()))
	}
	return c
}

// class returns the worst class of the address and of every IPv4 address that it
// embeds.
func (c *classifier) class(a netip.Addr) Class {
	worst := Public
	for _, e := range embedded(a) {
		worst = max(worst, c.one(e))
	}
	return worst
}

func (c *classifier) one(a netip.Addr) Class {
	switch {
	case a.IsLoopback():
		return Loopback
	case contains(c.never, a):
		return Never
	case contains(c.private, a) || localNAT64.Contains(a):
		return Private
	}
	return Public
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// The forms of an IPv6 address that carry an IPv4 address inside.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")  // RFC 8215
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // RFC 2765
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")       // RFC 4380
	isatapID   = [4]byte{0x00, 0x00, 0x5e, 0xfe}          // RFC 5214
)

// embedded returns the plain form of the address (unmapped, without a zone) and
// every IPv4 address that a translator or tunnel on the way would take out of
// it. netip.Prefix.Contains is false for mapped and zoned addresses, so nothing
// is compared before this.
func embedded(a netip.Addr) []netip.Addr {
	a = a.Unmap().WithZone("")
	all := []netip.Addr{a}
	if a.Is4() {
		return all
	}
	b := a.As16()
	v4 := func(i, j, k, l int) { all = append(all, netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]})) }
	switch {
	case nat64.Contains(a), translated.Contains(a):
		v4(12, 13, 14, 15)
	case localNAT64.Contains(a): // the prefix length is the network's choice
		v4(6, 7, 9, 10)
		v4(7, 9, 10, 11)
		v4(9, 10, 11, 12)
		v4(12, 13, 14, 15)
	case sixToFour.Contains(a):
		v4(2, 3, 4, 5)
	case teredo.Contains(a):
		v4(4, 5, 6, 7)
		all = append(all, netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}))
	}
	if id := [4]byte(b[8:12]); id == isatapID || id == [4]byte{0x02, 0, 0x5e, 0xfe} {
		v4(12, 13, 14, 15)
	}
	return all
}
