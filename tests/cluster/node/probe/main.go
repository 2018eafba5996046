// A pod without a shell for the tests: a small web server, and the clients `kubectl exec` needs.
//
//	probe serve              answer "NAME\n" on :8080 until SIGTERM
//	probe get URL            print the status and the body
//	probe resolve NAME       print the addresses
//	probe scan HOST FIRST LAST   print the open TCP ports, one a line
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const patience = 5 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "serve":
		return serve()
	case len(args) == 2 && args[0] == "get":
		return get(args[1])
	case len(args) == 2 && args[0] == "resolve":
		return resolve(args[1])
	case len(args) == 4 && args[0] == "scan":
		return scan(args[1], args[2], args[3])
	}
	return fmt.Errorf("%q is none of: serve; get URL; resolve NAME; scan HOST FIRST LAST", strings.Join(args, " "))
}

func serve() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	server := &http.Server{Addr: ":8080", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, name)
	})}
	stop, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer release()
	drained := make(chan error, 1)
	go func() {
		<-stop.Done()
		limit, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		drained <- server.Shutdown(limit)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-drained
}

func get(url string) error {
	client := &http.Client{Timeout: patience}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	fmt.Println(answer.StatusCode)
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}

func resolve(name string) error {
	limit, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(limit, name)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(addresses, "\n"))
	return nil
}

func scan(host, firstPort, lastPort string) error {
	first, err := strconv.Atoi(firstPort)
	if err != nil {
		return err
	}
	last, err := strconv.Atoi(lastPort)
	if err != nil {
		return err
	}
	open := make([]bool, last+1)
	slots := make(chan struct{}, 256) // at most so many connections at once
	var pending sync.WaitGroup
	for port := first; port <= last; port++ {
		slots <- struct{}{}
		pending.Go(func() {
			defer func() { <-slots }()
			connection, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(port)), time.Second)
			if err == nil {
				connection.Close()
				open[port] = true
			}
		})
	}
	pending.Wait()
	for port, found := range open {
		if found {
			fmt.Println(port)
		}
	}
	return nil
}
