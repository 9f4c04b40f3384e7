package gateway

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/openshell-policy/openshell/gateway/socks"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// serveSOCKS speaks SOCKS 5. The user name is the sandbox's id and the password
// its token; where the connection itself shows whose it is, neither is needed.
// CONNECT opens the same tunnel as HTTP's does: the name is resolved by the
// gateway, once something is allowed.
func (g *Gateway) serveSOCKS(cc *clientConn) {
	_ = cc.SetDeadline(time.Now().Add(g.cfg.Limits.HeaderTimeout))
	box, ok := g.greetSOCKS(cc)
	if !ok {
		return
	}
	req, err := socks.ReadRequest(cc)
	switch {
	case errors.Is(err, socks.ErrAddress):
		g.refuseSOCKS(cc, box, destination{}, socks.ReplyAddressNotSupported, schemas.CodeBadRequest, err.Error())
	case err != nil:
		g.refuseSOCKS(cc, box, destination{}, socks.ReplyFailure, schemas.CodeBadRequest, "the SOCKS request is malformed or was never completed")
	case req.Command != socks.CommandConnect:
		g.refuseSOCKS(cc, box, destination{}, socks.ReplyCommandNotSupported, schemas.CodeBadRequest, "of SOCKS only CONNECT is served; BIND and UDP ASSOCIATE are not")
	default:
		g.connectSOCKS(cc, box, req)
	}
}

// greetSOCKS identifies the sandbox.
func (g *Gateway) greetSOCKS(cc *clientConn) (adminapi.Sandbox, bool) {
	methods, err := socks.ReadMethods(cc)
	if errors.Is(err, io.EOF) {
		cc.Close() // opened and closed without a word
		return adminapi.Sandbox{}, false
	}
	if err != nil {
		g.closeUnread(cc, schemas.CodeBadRequest, "the bytes are not SOCKS 5")
		return adminapi.Sandbox{}, false
	}
	e := g.evidenceOf(cc)
	password := bytes.IndexByte(methods, socks.MethodPassword) >= 0
	anonymous := e.suffices() && bytes.IndexByte(methods, socks.MethodNone) >= 0
	switch {
	case password:
		if !g.passwordSOCKS(cc, e) {
			return adminapi.Sandbox{}, false
		}
	case anonymous:
		_ = socks.WriteMethod(cc, socks.MethodNone)
	default:
		_ = socks.WriteMethod(cc, socks.NoMethod)
		g.closeUnread(cc, schemas.CodeIdentityRequired, "the SOCKS client offers no user name and password")
		return adminapi.Sandbox{}, false
	}
	box, code := e.settle(cc)
	if password {
		_ = socks.WriteStatus(cc, code == "")
	}
	if code != "" {
		g.recordClosed(closedConn{sandbox: box, code: code, detail: refusalDetail(code)})
		cc.Close()
		return box, false
	}
	return box, true
}

func (g *Gateway) passwordSOCKS(cc *clientConn, e *evidence) bool {
	if socks.WriteMethod(cc, socks.MethodPassword) != nil {
		cc.Close()
		return false
	}
	id, token, err := socks.ReadPassword(cc)
	if err != nil {
		g.closeUnread(cc, schemas.CodeBadRequest, "the SOCKS user name and password are malformed or were never completed")
		return false
	}
	e.token(id, token, true)
	return true
}

// refuseSOCKS answers with a reply, and leaves one record.
func (g *Gateway) refuseSOCKS(cc *clientConn, box adminapi.Sandbox, dest destination, reply byte, code schemas.Code, detail string) {
	g.recordClosed(closedConn{sandbox: box, dest: dest, code: code, detail: detail})
	_ = socks.WriteReply(cc, reply)
	cc.Close()
}

// connectSOCKS opens a tunnel. As with CONNECT, a host that no rule names is
// denied inside, on 443 and ports that a rule names.
func (g *Gateway) connectSOCKS(cc *clientConn, box adminapi.Sandbox, req socks.Request) {
	host, err := canon.Host(req.Host)
	if err != nil || req.Port == 0 {
		g.refuseSOCKS(cc, box, destination{}, socks.ReplyNotAllowed, schemas.CodeBadRequest, "the SOCKS request names no valid host and port")
		return
	}
	ex := &exchange{g: g, r: connectRequest, id: newID(), start: time.Now(), gen: g.engine.Current(), box: box, peer: g.peerOf(cc)}
	ex.dest = destination{Scheme: "https", Host: host, Port: req.Port}
	t := ex.newTunnel(cc)
	switch code, detail := ex.mayOpen(t); {
	case code != "":
		g.refuseSOCKS(cc, box, ex.dest, socks.ReplyNotAllowed, code, detail)
		return
	case !ex.admitsTunnel(t):
		_ = ex.record()
		_ = socks.WriteReply(cc, socks.ReplyNotAllowed)
		cc.Close()
		return
	}
	if socks.WriteReply(cc, socks.ReplySucceeded) != nil {
		cc.Close()
		return
	}
	_ = cc.SetDeadline(time.Time{})
	t.client = &replayConn{Conn: cc}
	t.run()
}
