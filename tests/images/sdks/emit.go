// An HTTP server that calls itself: its spans are stock instrumentation's, and one is made by hand with every type.
package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func byHand(ctx context.Context) {
	elsewhere := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: 7}, SpanID: trace.SpanID{7: 9}, TraceFlags: 1, Remote: true})
	_, span := otel.Tracer("by-hand", trace.WithInstrumentationVersion("1.2.3")).Start(ctx, "by hand",
		trace.WithLinks(trace.Link{SpanContext: elsewhere, Attributes: []attribute.KeyValue{attribute.String("why", "test")}}),
		trace.WithAttributes(attribute.String("text", "ä"), attribute.Bool("flag", true), attribute.Int64("big", 1<<53-1),
			attribute.Float64("share", 0.5), attribute.StringSlice("texts", []string{"a", "b"}),
			attribute.Int64Slice("numbers", []int64{1, 2})))
	span.AddEvent("noted", trace.WithAttributes(attribute.Int("n", 1)))
	span.SetStatus(codes.Error, "no")
	span.End()
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		log.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	client := http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport)}
	mux := http.NewServeMux()
	mux.HandleFunc("/leaf", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "leaf\n") })
	mux.HandleFunc("/work", func(w http.ResponseWriter, r *http.Request) {
		request, _ := http.NewRequestWithContext(r.Context(), "GET", "http://127.0.0.1:8080/leaf", nil)
		if answer, err := client.Do(request); err == nil {
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		byHand(r.Context())
		io.WriteString(w, "done\n")
	})
	server := &http.Server{Addr: ":8080", Handler: otelhttp.NewHandler(mux, "serve")}
	go func() { <-ctx.Done(); server.Shutdown(context.Background()) }()
	server.ListenAndServe()
	flush, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	provider.Shutdown(flush)
}
