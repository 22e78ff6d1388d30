// Command device-plugin advertises the devices of a CDI kind to the kubelet: "device-plugin KIND SPECS PLUGINS".
// KIND, such as nvidia.com/gpu, is the resource's name too; SPECS is the folder with the CDI specifications; PLUGINS is
// the kubelet's folder of plugin sockets, which it watches, so that either side may start first and start again.
package main

import (
	"context"
	"fmt"
	"log"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	device "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
	"tags.cncf.io/container-device-interface/pkg/cdi"
)

const healthPeriod = 2 * time.Second

func main() {
	log.SetFlags(log.Ltime)
	if len(os.Args) != 4 {
		log.Fatal("say what to advertise: device-plugin KIND SPECS PLUGINS")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(kind, specs, plugins string) error {
	found, err := readDevices(kind, specs)
	if err != nil {
		return err
	}
	socket := filepath.Join(plugins, strings.ReplaceAll(kind, "/", "-")+".sock")
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.MkdirAll(plugins, 0o750); err != nil {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	served := &plugin{kind: kind, devices: found}
	registration.RegisterRegistrationServer(server, served)
	device.RegisterDevicePluginServer(server, served)
	log.Printf("advertising %d of %s", len(found), kind)
	return server.Serve(listener)
}

// readDevices returns the device nodes of each device of the kind, by its name.
func readDevices(kind, specs string) (map[string][]string, error) {
	cache, err := cdi.NewCache(cdi.WithSpecDirs(specs), cdi.WithAutoRefresh(false))
	if err != nil {
		return nil, err
	}
	for file, problems := range cache.GetErrors() {
		return nil, fmt.Errorf("%s is no CDI specification: %v", file, problems)
	}
	found := map[string][]string{}
	for _, qualified := range cache.ListDevices() {
		name, ours := strings.CutPrefix(qualified, kind+"=")
		if !ours || name == "all" { // by convention the sum of the others
			continue
		}
		found[name] = []string{}
		for _, node := range cache.GetDevice(qualified).ContainerEdits.DeviceNodes {
			found[name] = append(found[name], hostPath(node.HostPath, node.Path))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no specification with devices of kind %s", specs, kind)
	}
	return found, nil
}

// hostPath is where the machine has a device node: where the container has it, unless the specification differs.
func hostPath(host, container string) string {
	if host != "" {
		return host
	}
	return container
}

type plugin struct {
	registration.UnimplementedRegistrationServer
	device.UnimplementedDevicePluginServer
	kind    string
	devices map[string][]string
}

// GetInfo answers the kubelet, which has found the socket.
func (p *plugin) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.DevicePlugin, Name: p.kind, SupportedVersions: []string{device.Version},
	}, nil
}

func (p *plugin) NotifyRegistrationStatus(
	_ context.Context, status *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	log.Printf("registered: %t %s", status.PluginRegistered, status.Error)
	return &registration.RegistrationStatusResponse{}, nil
}

func (p *plugin) GetDevicePluginOptions(context.Context, *device.Empty) (*device.DevicePluginOptions, error) {
	return &device.DevicePluginOptions{}, nil
}

// ListAndWatch reports the devices now and whenever the health of one changes.
func (p *plugin) ListAndWatch(_ *device.Empty, stream device.DevicePlugin_ListAndWatchServer) error {
	reported := ""
	for {
		list, state := p.list()
		if state != reported {
			log.Print(state)
			if err := stream.Send(list); err != nil {
				return err
			}
			reported = state
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-time.After(healthPeriod):
		}
	}
}

// list returns the devices, and the same as text: a device is healthy while all its nodes are there.
func (p *plugin) list() (*device.ListAndWatchResponse, string) {
	list, states := &device.ListAndWatchResponse{}, []string{}
	for _, name := range slices.Sorted(maps.Keys(p.devices)) {
		health := device.Healthy
		for _, node := range p.devices[name] {
			if _, err := os.Stat(node); err != nil {
				health = device.Unhealthy
			}
		}
		list.Devices = append(list.Devices, &device.Device{ID: name, Health: health})
		states = append(states, name+" is "+health)
	}
	return list, strings.Join(states, ", ")
}

// Allocate names the chosen devices to the container runtime; the CDI specification says what that means.
func (p *plugin) Allocate(_ context.Context, request *device.AllocateRequest) (*device.AllocateResponse, error) {
	response := &device.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		chosen := &device.ContainerAllocateResponse{}
		for _, name := range container.DevicesIds {
			chosen.CdiDevices = append(chosen.CdiDevices, &device.CDIDevice{Name: p.kind + "=" + name})
		}
		log.Printf("allocating %v", container.DevicesIds)
		response.ContainerResponses = append(response.ContainerResponses, chosen)
	}
	return response, nil
}
