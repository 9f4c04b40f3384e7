package guard_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/openshell-policy/openshell/gateway/guard"
)

func newGuard(t *testing.T, cfg guard.Config) *guard.Guard {
	t.Helper()
	g, err := guard.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func prefixes(ps ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range ps {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func TestCheck(t *testing.T) {
	g := newGuard(t, guard.Config{AllowPrivate: prefixes("192.168.77.0/24")})
	ten := prefixes("10.0.0.0/8", "100.64.0.0/10", "fd00::/8")
	tests := []struct {
		name, addr string
		permit     []netip.Prefix
		ok         bool
	}{
		{"public", "93.184.216.34", nil, true},
		{"public 6", "2606:2800:220:1::1", nil, true},
		{"B03_Unspecified", "0.0.0.0", ten, false},
		{"B03_Unspecified8", "0.1.2.3", ten, false},
		{"B03_Unspecified6", "::", ten, false},
		{"B01_Loopback", "127.0.0.1", ten, false},
		{"B01_Loopback6", "::1", ten, false},
		{"B04_Mapped", "::ffff:127.0.0.1", ten, false},
		{"B04_MappedMetadata", "::ffff:169.254.169.254", ten, false},
		{"B05_Zone", "fe80::1%eth0", ten, false},
		{"B06_NAT64", "64:ff9b::a9fe:a9fe", ten, false},
		{"B06_NAT64Public", "64:ff9b::808:808", nil, true},
		{"B06_NAT64Local", "64:ff9b:1::a9fe:a9fe", ten, false},
		{"B06_6to4", "2002:7f00:1::", ten, false},
		{"B06_TeredoServer", "2001:0:7f00:1::", ten, false},
		{"B06_TeredoClient", "2001:0:808:808:0:0:80ff:fffe", ten, false},
		{"B06_V4Compat", "::169.254.169.254", ten, false},
		{"B06_ISATAP", "2606:4700::5efe:a9fe:a9fe", ten, false},
		{"B07_Metadata", "169.254.169.254", ten, false},
		{"B07_ECS", "169.254.170.2", ten, false},
		{"B07_Alibaba", "100.100.100.200", ten, false},
		{"B07_Azure", "168.63.129.16", ten, false},
		{"B07_AWS6", "fd00:ec2::254", ten, false},
		{"B08_Ten", "10.0.0.5", nil, false},
		{"B08_TenPermitted", "10.0.0.5", ten, true},
		{"B08_172", "172.16.0.1", nil, false},
		{"B08_192", "192.168.1.1", nil, false},
		{"B08_Operator", "192.168.77.1", nil, true},
		{"B08_CGNAT", "100.64.0.1", nil, false},
		{"B08_ULA", "fd12::1", nil, false},
		{"B08_ULAPermitted", "fd12::1", ten, true},
		{"B08_Multicast", "224.0.0.1", ten, false},
		{"B08_Multicast6", "ff02::1", ten, false},
		{"B08_Protocol", "192.0.0.8", nil, false},
		{"B08_Benchmark", "198.18.0.1", nil, false},
		{"B08_Reserved", "240.0.0.1", ten, false},
		{"B08_Broadcast", "255.255.255.255", ten, false},
		{"B08_NAT64Private", "64:ff9b::a00:5", nil, false},
		{"B08_NAT64PrivatePermitted", "64:ff9b::a00:5", ten, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := g.Check(netip.AddrPortFrom(netip.MustParseAddr(tt.addr), 443), tt.permit)
			if (r == nil) != tt.ok {
				t.Errorf("%s: refused %v, want allowed %v", tt.addr, r, tt.ok)
			}
		})
	}
}

func TestB14_OwnAddresses(t *testing.T) {
	g := newGuard(t, guard.Config{AllowLoopback: true, AllowPrivate: prefixes("0.0.0.0/0", "::/0")})
	g.SetListeners([]netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:8080")})
	if g.Check(netip.MustParseAddrPort("127.0.0.1:8080"), nil) == nil {
		t.Error("the proxy listener may be dialled")
	}
	if r := g.Check(netip.MustParseAddrPort("127.0.0.1:8081"), nil); r != nil {
		t.Errorf("another port of this machine: %v", r)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		p := netip.MustParsePrefix(a.String())
		if !p.Addr().IsLoopback() && g.Check(netip.AddrPortFrom(p.Addr(), 8081), nil) == nil {
			t.Errorf("%v of this machine may be dialled", p.Addr())
		}
	}
}

func TestB11_MixedAnswerUsesThePermittedAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	g := newGuard(t, guard.Config{AllowLoopback: true, Resolve: map[string][]netip.Addr{
		"mixed.test":   {netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("127.0.0.1")},
		"private.test": {netip.MustParseAddr("10.0.0.5")},
	}})
	c, err := g.Dial(context.Background(), "mixed.test", port, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	_, err = g.Dial(context.Background(), "private.test", port, nil)
	var refused *guard.Refused
	if !errors.As(err, &refused) || refused.Addr.String() != "10.0.0.5" || refused.Host != "private.test" {
		t.Errorf("got %v, want a refusal that names 10.0.0.5", err)
	}
}
