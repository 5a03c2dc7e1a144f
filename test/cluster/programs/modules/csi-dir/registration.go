package main

import (
	"context"
	"log"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

type registrar struct {
	registration.UnimplementedRegistrationServer
	name, endpoint string
}

// register serves what the kubelet's plugin watcher asks of a socket that it finds in its folder.
func register(plugins, name, endpoint string) {
	socket := filepath.Join(plugins, name+"-reg.sock")
	os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	g := grpc.NewServer()
	registration.RegisterRegistrationServer(g, &registrar{name: name, endpoint: endpoint})
	go func() { log.Fatal(g.Serve(l)) }()
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{Type: registration.CSIPlugin, Name: r.name, Endpoint: r.endpoint, SupportedVersions: []string{"1.0.0"}}, nil
}

func (r *registrar) NotifyRegistrationStatus(_ context.Context, status *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !status.PluginRegistered {
		log.Printf("the kubelet did not register %s: %s", r.name, status.Error)
	}
	return &registration.RegistrationStatusResponse{}, nil
}
