// A sibling engine that takes what it is sent. It is killed and started again, as siblings are.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  request.resume();
  request.once("end", () => {
    response.setHeader("content-type", "application/json");
    response.end('{"success":true}');
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1", () =>
  console.log(JSON.stringify({ msg: "listening", url: `http://127.0.0.1:${process.argv[2]}` })),
);
