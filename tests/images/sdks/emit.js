// An HTTP server that calls itself: its spans are stock instrumentation's, and one is made by hand with every type.
'use strict';
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const sdk = new NodeSDK({ instrumentations: [new HttpInstrumentation()] });
sdk.start();
const { trace, SpanStatusCode } = require('@opentelemetry/api');
const http = require('http');
const tracer = trace.getTracer('by-hand', '1.2.3');
const elsewhere = { traceId: '7'.padStart(32, '0'), spanId: '9'.padStart(16, '0'), traceFlags: 1, isRemote: true };

function byHand() {
  const attributes = { text: 'ä', flag: true, big: Number.MAX_SAFE_INTEGER, share: 0.5, texts: ['a', 'b'], numbers: [1, 2] };
  const span = tracer.startSpan('by hand', { attributes, links: [{ context: elsewhere, attributes: { why: 'test' } }] });
  span.addEvent('noted', { n: 1 });
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'no' });
  span.end();
}

http.createServer((request, response) => {
  if (request.url !== '/work') return response.end('leaf\n');
  http.get('http://127.0.0.1:8080/leaf', (answer) => {
    answer.resume().on('end', () => { byHand(); response.end('done\n'); });
  });
}).listen(8080);
process.on('SIGTERM', () => sdk.shutdown().finally(() => process.exit(0)));
