"""Routes. handle(method, target, headers, body) answers with (status, headers, body)."""
import json
import re

from depot import changes, listing
from depot.fields import bad_field, complete
from depot.http import Problem, Request, etag, names
from depot.store import Store


class App:
    def __init__(self):
        self.store = Store()

    def handle(self, method, target, headers=None, body=None):
        try:
            status, more, data = self.route(Request(method, target, headers or {}, body))
        except Problem as problem:
            status, more, data = problem.status, problem.headers, problem.body
        return status, more, "" if data is None else json.dumps(data)

    def route(self, request):
        if request.path == "/items":
            routes = {"GET": self.list, "POST": self.create}
            arguments = ()
        elif re.fullmatch(r"/items/[0-9]+", request.path):
            routes = {"GET": self.show, "PUT": self.put, "PATCH": self.patch, "DELETE": self.delete}
            arguments = (int(request.path.split("/")[2]),)
        else:
            raise Problem(404, {"error": "path"})
        if request.method not in routes:
            raise Problem(405, {"error": "method"}, {"Allow": ", ".join(sorted(routes))})
        return routes[request.method](request, *arguments)

    def find(self, number):
        if number in self.store.items:
            return self.store.items[number]
{% if deleted == 410 %}
        raise Problem(410 if number in self.store.gone else 404, {"error": "item"})
{% else %}
        raise Problem(404, {"error": "item"})
{% endif %}

    def answer(self, status, item, **more):
        return status, {"ETag": etag(item), **more}, item

    def list(self, request):
        return 200, {}, listing.page(self.store, request)

    def create(self, request):
        fields = complete(request.data())
        self.check({**request.data(), "name": fields["name"]})
        item = self.store.add(fields)
        return self.answer(201, item, Location="/items/%d" % item["id"])

    def show(self, request, number):
        item = self.find(number)
        asked = request.header("If-None-Match")
        if asked is not None and names(asked, etag(item)):
            return 304, {"ETag": etag(item)}, None
        return self.answer(200, item)

    def put(self, request, number):
        item = changes.put(self.store, self.find(number), request)
        return self.answer(200, item)

    def patch(self, request, number):
        item = changes.patch(self.store, self.find(number), request)
        return self.answer(200, item)

    def delete(self, request, number):
        item = self.find(number)
        asked = request.header("If-Match")
        if asked is not None and not names(asked, etag(item)):
            raise Problem({{ conflict }}, item, {"ETag": etag(item)})
        self.store.remove(item)
        return 204, {}, None

    def check(self, fields):
        wrong = bad_field(fields)
        if wrong is not None:
            raise Problem(422, {"error": "field", "field": wrong})
