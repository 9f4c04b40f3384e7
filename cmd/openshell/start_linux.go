package main

import (
	"context"

	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/local"
	"github.com/openshell-policy/openshell/schemas/adminapi"
	"github.com/openshell-policy/openshell/schemas/tables"
)

const runtimeDefault = runtimeLocal

// start says how the command is confined, and starts it.
func (o *createOptions) start(ctx context.Context, c *adminapi.Client, box adminapi.CreatedSandbox, spec sandboxctl.Spec) (sandboxctl.Process, error) {
	if o.runtime == runtimeNone {
		return o.startNone(ctx, box, spec)
	}
	workspace, err := o.workspaceDir()
	if err != nil {
		return nil, err
	}
	agent, _ := tables.AgentOf(box.Agent)
	p := sandboxctl.Proxied{ID: box.ID, ProxyURL: local.ProxyURL, CABundle: local.CABundlePath, GitHTTPS: !o.noGitHTTPS}
	spec.Env = p.Environ(environ(workspace, append(agent.Env, o.env...), agent.Set))
	return (&localRuntime{o: o, admin: c, box: box}).start(ctx, spec)
}

func (o *createOptions) limits() local.Limits {
	return local.Limits{MemoryBytes: int64(o.memory), CPUs: o.cpus, Processes: o.processes}
}
