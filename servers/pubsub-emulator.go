// The fake that Google's own Go client is tested with, as a process. Its services are served by a gRPC server of our own, because the
// fake's takes no message above 4 MB where Pub/Sub takes 10.
package main

import (
	"flag"
	"log"
	"net"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc"
)

const maxRequestBytes = 20 << 20

func main() {
	address := flag.String("address", "", "host:port to listen on")
	flag.Parse()
	fake := pstest.NewServer()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxRequestBytes), grpc.MaxSendMsgSize(maxRequestBytes))
	pubsubpb.RegisterPublisherServer(server, &fake.GServer)
	pubsubpb.RegisterSubscriberServer(server, &fake.GServer)
	pubsubpb.RegisterSchemaServiceServer(server, &fake.GServer)
	log.Fatal(server.Serve(listener))
}
