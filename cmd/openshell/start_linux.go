package main

import (
	"context"

	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/local"
	"github.com/openshell-policy/openshell/schemas/adminapi"
	"github.com/openshell-policy/openshell/schemas/tables"
)

const runtimeDefault = runtimeLocal

// start starts the command and says how it is confined.
func (o *createOptions) start(ctx context.Context, c *adminapi.Client, box adminapi.CreatedSandbox, spec sandboxctl.Spec) (sandboxctl.Process, string, error) {
	if o.runtime == runtimeNone {
		return o.startNone(ctx, spec)
	}
	workspace, err := o.workspaceDir()
	if err != nil {
		return nil, "", err
	}
	agent, _ := tables.AgentOf(box.Agent)
	p := sandboxctl.Proxied{ID: box.ID, ProxyURL: local.ProxyURL, CABundle: local.CABundlePath, GitHTTPS: !o.noGitHTTPS}
	spec.Env = p.Environ(environ(workspace, append(agent.Env, o.env...), agent.Set))
	r := &localRuntime{o: o, admin: c, box: box}
	process, err := r.start(ctx, spec)
	if err != nil {
		return nil, "", err
	}
	return process, r.confines(), nil
}

func (o *createOptions) limits() local.Limits {
	return local.Limits{MemoryBytes: int64(o.memory), CPUs: o.cpus, Processes: o.processes}
}
