package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The node service, for a real kubelet: a directory is bind-mounted, a block volume's file becomes a loop device.

func (d *driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: d.node}, nil
}

func (d *driver) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{Capabilities: []*csi.NodeServiceCapability{{Type: &csi.NodeServiceCapability_Rpc{
		Rpc: &csi.NodeServiceCapability_RPC{Type: csi.NodeServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER},
	}}}}, nil
}

func (d *driver) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !safe(r.VolumeId) || !exists(d.vol(r.VolumeId)) {
		return nil, status.Error(codes.NotFound, "volume not found")
	}
	if _, ok := mountedAt(r.TargetPath); ok {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	publish := d.publishFolder
	if r.VolumeCapability.GetBlock() != nil {
		publish = d.publishDevice
	}
	if err := publish(r); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

func (d *driver) publishFolder(r *csi.NodePublishVolumeRequest) error {
	if err := os.MkdirAll(r.TargetPath, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(d.vol(r.VolumeId), r.TargetPath, "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	if !r.Readonly && r.VolumeCapability.GetAccessMode().GetMode() != csi.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY {
		return nil
	}
	return syscall.Mount("", r.TargetPath, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, "")
}

// Pods that share a volume share its device: each device has a page cache of its own.
func (d *driver) publishDevice(r *csi.NodePublishVolumeRequest) error {
	file := d.vol(r.VolumeId)
	device, err := losetup("--noheadings", "--output", "NAME", "--associated", file)
	if err == nil && device == "" {
		device, err = losetup("--find", "--show", file)
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.TargetPath, nil, 0o600); err != nil {
		return err
	}
	return syscall.Mount(device, r.TargetPath, "", syscall.MS_BIND, "")
}

func (d *driver) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if root, ok := mountedAt(r.TargetPath); ok {
		if err := syscall.Unmount(r.TargetPath, 0); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
		if strings.HasPrefix(root, "/loop") && !isMounted(root) {
			if _, err := losetup("--detach", "/dev"+root); err != nil {
				return nil, status.Error(codes.Internal, err.Error())
			}
		}
	}
	if err := os.Remove(r.TargetPath); err != nil && !os.IsNotExist(err) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

func losetup(args ...string) (string, error) {
	out, err := exec.Command("losetup", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("losetup: %s%w", out, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// mountedAt says what is mounted at a path, as a path in its own file system: of a device, /loop0.
func mountedAt(path string) (root string, ok bool) {
	for _, m := range mounts() {
		if m.path == path {
			root, ok = m.root, true // the last one covers those before it
		}
	}
	return root, ok
}

func isMounted(root string) bool {
	for _, m := range mounts() {
		if m.root == root {
			return true
		}
	}
	return false
}

type mount struct{ root, path string }

// https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
func mounts() (found []mount) {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			found = append(found, mount{root: fields[3], path: fields[4]})
		}
	}
	return found
}
