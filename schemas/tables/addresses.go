package tables

import (
	"net/netip"
	"slices"
)

// MetadataAddress is where a cloud hands credentials to whoever asks.
type MetadataAddress struct {
	Address  netip.Addr `json:"address"`
	Provider string     `json:"provider"`
}

var metadata = entries[MetadataAddress]("metadata.json")

// Metadata lists the cloud metadata addresses, which are never dialled.
func Metadata() []MetadataAddress { return slices.Clone(metadata()) }

// The classes of special ranges.
const (
	RangeNever   = "never"   // not dialled, whatever a policy allows
	RangePrivate = "private" // dialled only where something allows the address
)

// Range is a special-purpose range of addresses.
type Range struct {
	Prefix netip.Prefix `json:"prefix"`
	Class  string       `json:"class"`
	Name   string       `json:"name"`
	Source string       `json:"source"` // the RFC that sets it apart
}

var specialRanges = entries[Range]("specialranges.json")

// SpecialRanges lists the addresses that are not the public Internet. IPv4
// inside IPv6 (mapped, NAT64, 6to4, Teredo) is decoded before it is looked up
// here; the ranges of those forms are not listed.
func SpecialRanges() []Range { return slices.Clone(specialRanges()) }
