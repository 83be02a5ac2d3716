// What a read is compared with: a Node HTTP server that knows its one reply beforehand.
import { createServer } from "node:http";

const { status, headers, body } = JSON.parse(process.argv[2]);
const server = createServer((_request, response) => {
  response.writeHead(status, headers);
  response.end(body);
});
server.keepAliveTimeout = 65_000;
process.on("SIGINT", () => process.exit());
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ msg: "listening", url: `http://127.0.0.1:${server.address().port}` }));
});
