package clients_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openshell-policy/openshell/schemas"
)

const (
	echoMethod   = "/test.Echo/Unary"
	streamMethod = "/test.Echo/Stream"
	deniedMethod = "/test.Admin/Delete"
)

// echo is a service without generated code: what comes is sent back, with a
// trailer that counts.
func echo(cert credentials.TransportCredentials) *grpc.Server {
	s := grpc.NewServer(grpc.Creds(cert))
	unary := func(_ any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(wrapperspb.StringValue)
		if err := dec(in); err != nil {
			return nil, err
		}
		if in.Value == "fail" {
			return nil, status.Error(codes.FailedPrecondition, "as asked")
		}
		return in, grpc.SetTrailer(ctx, metadata.Pairs("seen", "1"))
	}
	stream := func(_ any, s grpc.ServerStream) error {
		seen := 0
		for {
			in := new(wrapperspb.StringValue)
			err := s.RecvMsg(in)
			if err == io.EOF {
				s.SetTrailer(metadata.Pairs("seen", fmt.Sprint(seen)))
				return nil
			}
			if err == nil {
				err = s.SendMsg(in)
			}
			if err != nil {
				return err
			}
			seen++
		}
	}
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Echo", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: unary}},
		Streams: []grpc.StreamDesc{{StreamName: "Stream", Handler: stream, ServerStreams: true, ClientStreams: true}},
	}, struct{}{})
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Admin", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Delete", Handler: unary}},
	}, struct{}{})
	return s
}

func grpcWorld(t *testing.T) (*world, *grpc.ClientConn) {
	t.Helper()
	cert, roots := certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := echo(credentials.NewServerTLSFromCert(&cert))
	go func() { _ = s.Serve(l) }() // ends with the test
	t.Cleanup(s.Stop)
	port := l.Addr().(*net.TCPAddr).Port
	w := newWorld(t, roots, fmt.Sprintf(`{host: grpc.test, ports: [%d], methods: [POST], paths: ["/test.Echo/*"]}`, port))
	w.port = port
	target := fmt.Sprintf("passthrough:///grpc.test:%d", port)
	c, err := grpc.NewClient(target, grpc.WithTransportCredentials(credentials.NewTLS(w.trust())),
		grpc.WithContextDialer(w.connect))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return w, c
}

// childVariable makes TestGRPCChild a client of its own process: the port to call.
const childVariable = "OPENSHELL_TEST_GRPC_PORT"

// A client that knows nothing of us but what its environment says, as in a
// sandbox: HTTPS_PROXY and SSL_CERT_FILE.
func TestGRPCByTheEnvironment(t *testing.T) {
	w, _ := grpcWorld(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, w.g.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestGRPCChild$", "-test.v")
	cmd.Env = append(os.Environ(), childVariable+"="+strconv.Itoa(w.port), "HTTPS_PROXY="+w.proxy().String(), "SSL_CERT_FILE="+ca, "NO_PROXY=")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestGRPCChild") {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := w.records.decisions(echoMethod); !slices.Equal(got, []schemas.Code{schemas.CodeAllowed}) {
		t.Errorf("recorded %v", got)
	}
}

func TestGRPCChild(t *testing.T) {
	port := os.Getenv(childVariable)
	if port == "" {
		return // TestGRPCByTheEnvironment runs it as another process
	}
	c, err := grpc.NewClient("grpc.test:"+port, grpc.WithTransportCredentials(credentials.NewTLS(nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out := new(wrapperspb.StringValue)
	if err := c.Invoke(ctx, echoMethod, wrapperspb.String("hello"), out); err != nil || out.Value != "hello" {
		t.Fatalf("%q, %v", out.Value, err)
	}
}

func TestGRPCUnary(t *testing.T) {
	w, c := grpcWorld(t)
	var trailer metadata.MD
	out := new(wrapperspb.StringValue)
	if err := c.Invoke(t.Context(), echoMethod, wrapperspb.String("hello"), out, grpc.Trailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	if out.Value != "hello" || !slices.Equal(trailer.Get("seen"), []string{"1"}) {
		t.Errorf("got %q with trailer %v", out.Value, trailer)
	}
	err := c.Invoke(t.Context(), echoMethod, wrapperspb.String("fail"), out)
	if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "as asked" {
		t.Errorf("the service's own error came as %v", err)
	}
	if err := c.Invoke(t.Context(), deniedMethod, wrapperspb.String("x"), out); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a method that the policy does not name: %v", err)
	}
	if got := w.records.decisions(deniedMethod); !slices.Equal(got, []schemas.Code{schemas.CodePathNotAllowed}) {
		t.Errorf("recorded %v", got)
	}
}

// Each message of a stream goes through before the next is sent, in both
// directions, and the trailer comes at the end.
func TestGRPCStream(t *testing.T) {
	_, c := grpcWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, streamMethod)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		out := new(wrapperspb.StringValue)
		if err := s.SendMsg(wrapperspb.String(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		if err := s.RecvMsg(out); err != nil || out.Value != fmt.Sprint(i) {
			t.Fatalf("message %d: %q, %v", i, out.Value, err)
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(new(wrapperspb.StringValue)); err != io.EOF {
		t.Fatalf("the end came as %v", err)
	}
	if got := s.Trailer().Get("seen"); !slices.Equal(got, []string{"100"}) {
		t.Errorf("trailer %v", s.Trailer())
	}
}
