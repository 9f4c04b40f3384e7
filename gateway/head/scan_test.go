package head_test

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/gateway/head"
)

const host = "Host: a.test\r\n"

var scanCases = []struct {
	name, head string
	status     int // 0 accepted
}{
	{"plain", "GET /x HTTP/1.1\r\n" + host + "\r\n", 0},
	{"http10 without host", "GET /x HTTP/1.0\r\n\r\n", 0},
	{"connect", "CONNECT a.test:443 HTTP/1.1\r\n" + host + "\r\n", 0},
	{"absolute", "GET http://a.test/ HTTP/1.1\r\n" + host + "\r\n", 0},
	{"length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\n", 0},
	{"chunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", 0},
	{"F01_CLWithTE", "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	{"F02_TwoEqualCL", "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
	{"F03_TwoDifferentCL", "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
	{"F04_BadCL", "POST / HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\n", 400},
	{"F04_ListCL", "POST / HTTP/1.1\r\n" + host + "Content-Length: 3, 3\r\n\r\n", 400},
	{"F04_EmptyCL", "POST / HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\n", 400},
	{"F05_xchunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n", 501},
	{"F05_gzipchunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
	{"F05_twochunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	{"F05_vtchunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n", 400},
	{"F05_te10", "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", 400},
	{"F06_SpaceBeforeColon", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding : chunked\r\n\r\n", 400},
	{"F07_BareLF", "GET / HTTP/1.1\r\nHost: a.test\nX: y\r\n\r\n", 400},
	{"F07_BareCR", "GET / HTTP/1.1\r\nX: a\rb\r\n" + host + "\r\n", 400},
	{"F08_ObsFold", "GET / HTTP/1.1\r\n" + host + "X-A: one\r\n two\r\n\r\n", 400},
	{"F09_LeadingSpace", "GET / HTTP/1.1\r\n Host: a.test\r\n\r\n", 400},
	{"F10_NoColon", "GET / HTTP/1.1\r\n" + host + "nonsense\r\n\r\n", 400},
	{"F11_HTTP09", "GET /x\r\n\r\n", 400},
	{"F11_HTTP20", "GET /x HTTP/2.0\r\n" + host + "\r\n", 505},
	{"F11_HTTP12", "GET /x HTTP/1.2\r\n" + host + "\r\n", 505},
	{"F21_TooManyHeaders", "GET / HTTP/1.1\r\n" + host + strings.Repeat("a: b\r\n", 10_000) + "\r\n", 431},
	{"A13_TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
	{"A14_NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
	{"A14_EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
	{"A20_NonASCIIHost", "GET / HTTP/1.1\r\nHost: b\xc3\xbccher.test\r\n\r\n", 400},
	{"C18_ConnectBody", "CONNECT a.test:443 HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\n", 400},
	{"D11_Ctl", "GET /a\x01b HTTP/1.1\r\n" + host + "\r\n", 400},
	{"D11_NUL", "GET /a\x00b HTTP/1.1\r\n" + host + "\r\n", 400},
	{"D13_NonASCII", "GET /\xc3\xa9 HTTP/1.1\r\n" + host + "\r\n", 400},
	{"D14_BadEscape", "GET /a%zz HTTP/1.1\r\n" + host + "\r\n", 400},
	{"D16_LongPath", "GET /" + strings.Repeat("a", 4097) + " HTTP/1.1\r\n" + host + "\r\n", 414},
	{"E01_LowerCase", "get /x HTTP/1.1\r\n" + host + "\r\n", 501},
	{"E03_BadToken", "G=T /x HTTP/1.1\r\n" + host + "\r\n", 400},
	{"A09_AbsoluteOtherHost", "GET http://b.test/ HTTP/1.1\r\n" + host + "\r\n", 421},
	{"absolute with port", "GET http://A.test:80/ HTTP/1.1\r\n" + host + "\r\n", 0},
	{"connect other host", "CONNECT b.test:443 HTTP/1.1\r\n" + host + "\r\n", 421},
	{"two spaces", "GET  /x HTTP/1.1\r\n" + host + "\r\n", 400},
	{"expect", "POST / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", 0},
	{"other expect", "POST / HTTP/1.1\r\n" + host + "Expect: 200-ok\r\n\r\n", 417},
	{"header NUL", "GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n", 400},
	{"empty name", "GET / HTTP/1.1\r\n" + host + ": b\r\n\r\n", 400},
}

func TestScan(t *testing.T) {
	for _, tt := range scanCases {
		t.Run(tt.name, func(t *testing.T) {
			_, fault := head.Scan([]byte(tt.head))
			got := 0
			if fault != nil {
				got = fault.Status
			}
			if got != tt.status {
				t.Errorf("status %d (%v), want %d", got, fault, tt.status)
			}
		})
	}
}

// FuzzScan holds that net/http reads every accepted head, and frames it alike.
func FuzzScan(f *testing.F) {
	for _, tt := range scanCases {
		f.Add([]byte(tt.head))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		framing, fault := head.Scan(b)
		if fault != nil {
			if fault.Detail == "" || fault.Status < 400 {
				t.Errorf("fault without a reason: %+v", fault)
			}
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatalf("accepted %q, net/http: %v", b, err)
		}
		chunked := len(r.TransferEncoding) == 1 && r.TransferEncoding[0] == "chunked"
		if chunked != framing.Chunked || !chunked && r.ContentLength != framing.Length {
			t.Errorf("%q: framing %+v, net/http %v %d", b, framing, r.TransferEncoding, r.ContentLength)
		}
	})
}
