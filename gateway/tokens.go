package gateway

import (
	"time"

	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// RotateToken gives a running sandbox a new token. The one before works for the
// grace longer, so that programs that started with it can be told of the new one;
// connections that are open stay open.
func (g *Gateway) RotateToken(id string, grace time.Duration) (adminapi.CreatedSandbox, error) {
	s, token, err := g.registry.Rotate(id, grace)
	if err != nil {
		return adminapi.CreatedSandbox{}, err
	}
	return adminapi.CreatedSandbox{
		Sandbox: s, Token: token, Proxy: g.ProxyAddr(), CAPEM: string(g.authority.PEM()), CAFile: g.cfg.CAFile(),
	}, nil
}
