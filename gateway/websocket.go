package gateway

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/openshell-policy/openshell/schemas"
)

// websocketGUID is the constant of RFC 6455, section 1.3.
const websocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// upgraded lets a 101 through only as the answer to a WebSocket upgrade that the
// policy allowed. An unsolicited one would be a tunnel that nothing checks.
func (ex *exchange) upgraded(resp *http.Response) *http.Response {
	if !ex.upstream.websocket || !acceptsWebSocket(ex.r, resp) {
		resp.Body.Close()
		ex.upstream.failure = "unexpected upgrade"
		return ex.failure(schemas.CodeUpstreamError, "the upstream switched to a protocol that was not asked for")
	}
	protocol := resp.Header.Get("Sec-Websocket-Protocol")
	extensions := resp.Header.Get("Sec-Websocket-Extensions")
	accept := resp.Header.Get("Sec-Websocket-Accept")
	cleanResponse(resp.Header)
	resp.Header.Set("Connection", "Upgrade")
	resp.Header.Set("Upgrade", "websocket")
	resp.Header.Set("Sec-Websocket-Accept", accept)
	if protocol != "" {
		resp.Header.Set("Sec-Websocket-Protocol", protocol)
	}
	if extensions != "" {
		resp.Header.Set("Sec-Websocket-Extensions", extensions)
	}
	ex.upstream.release = ex.hold(func() { resp.Body.Close() })
	return resp
}

func acceptsWebSocket(r *http.Request, resp *http.Response) bool {
	sum := sha1.Sum([]byte(strings.TrimSpace(r.Header.Get("Sec-Websocket-Key")) + websocketGUID))
	return httpguts.HeaderValuesContainsToken(resp.Header["Upgrade"], "websocket") &&
		httpguts.HeaderValuesContainsToken(resp.Header["Connection"], "upgrade") &&
		resp.Header.Get("Sec-Websocket-Accept") == base64.StdEncoding.EncodeToString(sum[:])
}
